//! The messages of one version with every part named: what the emitter writes down.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::{Plan, Sender};
use crate::read::Schema;

/// One version of OCPP.
#[derive(Debug, Default)]
pub struct Model {
    /// In the order of the plan.
    pub messages: Vec<Message>,
    /// Objects within messages, by name.
    pub objects: BTreeMap<String, Vec<Property>>,
    /// Enumerations, by name.
    pub enums: BTreeMap<String, Vec<String>>,
    /// Objects that a station sends: nothing in them may be relied upon.
    pub received: BTreeSet<String>,
}

#[derive(Debug)]
pub struct Message {
    pub action: &'static str,
    pub sender: Sender,
    pub block: &'static str,
    pub request: Vec<Property>,
    pub response: Vec<Property>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Property {
    pub name: String,
    pub kind: Kind,
    pub is_required: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    Integer,
    Decimal { places: Option<u32> },
    Boolean,
    Text { max: Option<usize> },
    Choice(String),
    DateTime,
    Uri,
    Object(String),
    List { of: Box<Kind>, min: usize },
}

/// Names every part of the schemas as the plan wants.
pub fn build(plan: &'static Plan, schemas: &BTreeMap<String, Schema>) -> Result<Model, String> {
    let mut model = Model::default();
    let mut planned = BTreeSet::new();
    for (block, _, messages) in plan.blocks {
        for &(action, sender) in *messages {
            let request = format!("{action}{}", plan.request_suffix);
            let response = format!("{action}Response");
            let mut side = |file: &String| {
                let schema = schemas
                    .get(file)
                    .ok_or_else(|| format!("no schema {file}.json"))?;
                planned.insert(file.clone());
                Builder {
                    plan,
                    root: schema,
                    model: &mut model,
                }
                .properties(file, schema)
            };
            let (request, response) = (side(&request)?, side(&response)?);
            model.messages.push(Message {
                action,
                sender,
                block,
                request,
                response,
            });
        }
    }
    if let Some(missed) = schemas.keys().find(|name| !planned.contains(*name)) {
        return Err(format!("{missed}.json has no place in the plan"));
    }
    model.received = received(&model);
    Ok(model)
}

struct Builder<'a> {
    plan: &'static Plan,
    root: &'a Schema,
    model: &'a mut Model,
}

impl Builder<'_> {
    fn properties(&mut self, path: &str, schema: &Schema) -> Result<Vec<Property>, String> {
        let property = |(name, part): &(String, Schema)| {
            let kind = self.kind(&format!("{path}.{name}"), part, None)?;
            Ok(Property {
                name: name.clone(),
                kind,
                is_required: schema.required.contains(name),
            })
        };
        schema.properties.0.iter().map(property).collect()
    }

    fn kind(
        &mut self,
        path: &str,
        schema: &Schema,
        definition: Option<&str>,
    ) -> Result<Kind, String> {
        if let Some(reference) = &schema.reference {
            let name = reference.trim_start_matches("#/definitions/");
            let root = self.root;
            let target = root
                .definitions
                .get(name)
                .ok_or_else(|| format!("{path}: no definition {name}"))?;
            return self.kind(path, target, Some(name));
        }
        if let Some(choices) = &schema.choices {
            let name = self.name(path, definition);
            let known = self.model.enums.entry(name.clone()).or_default();
            known.extend(
                choices
                    .iter()
                    .filter(|choice| !known.contains(choice))
                    .cloned()
                    .collect::<Vec<_>>(),
            );
            return Ok(Kind::Choice(name));
        }
        match (
            schema.kind.as_deref(),
            schema.format.as_deref(),
            &schema.items,
        ) {
            (Some("integer"), None, _) => Ok(Kind::Integer),
            (Some("number"), None, _) => Ok(Kind::Decimal {
                places: places(path, schema)?,
            }),
            (Some("boolean"), None, _) => Ok(Kind::Boolean),
            (Some("string"), None, _) => Ok(Kind::Text {
                max: schema.max_length,
            }),
            (Some("string"), Some("date-time"), _) => Ok(Kind::DateTime),
            (Some("string"), Some("uri"), _) => Ok(Kind::Uri),
            (Some("object"), None, _) => {
                let properties = self.properties(path, schema)?;
                self.object(self.name(path, definition), properties)
                    .map_err(|error| format!("{path}: {error}"))
            }
            (Some("array"), None, Some(items)) => {
                let of = Box::new(self.kind(path, items, None)?);
                Ok(Kind::List {
                    of,
                    min: schema.min_items,
                })
            }
            (kind, format, _) => Err(format!(
                "{path}: cannot generate type {kind:?} of format {format:?}"
            )),
        }
    }

    /// The name the plan gives, else that of the definition, else one made of the path.
    fn name(&self, path: &str, definition: Option<&str>) -> String {
        let is_tail = |tail: &str| path == tail || path.ends_with(&format!(".{tail}"));
        let planned = self
            .plan
            .names
            .iter()
            .filter(|(tail, _)| is_tail(tail))
            .max_by_key(|(tail, _)| tail.len());
        if let Some((_, name)) = planned {
            return (*name).to_owned();
        }
        if let Some(definition) = definition {
            let name = definition.trim_end_matches("Type");
            return name.trim_end_matches("Enum").to_owned();
        }
        let (parent, field) = path.rsplit_once('.').unwrap_or(("", path));
        let field = format!("{}{}", field[..1].to_uppercase(), &field[1..]);
        if field == "Status" {
            format!("{}Status", parent.trim_end_matches("Response"))
        } else {
            field
        }
    }

    fn object(&mut self, name: String, properties: Vec<Property>) -> Result<Kind, String> {
        let Some(known) = self.model.objects.get_mut(&name) else {
            self.model.objects.insert(name.clone(), properties);
            return Ok(Kind::Object(name));
        };
        for (known, new) in known.iter_mut().zip(&properties) {
            merge(known, new).map_err(|error| format!("two shapes of {name}: {error}"))?;
        }
        if known.len() != properties.len() {
            return Err(format!(
                "two shapes of {name}: {} and {} fields",
                known.len(),
                properties.len()
            ));
        }
        Ok(Kind::Object(name))
    }
}

/// One type may stand in several messages with other limits on its arrays; the stricter is kept.
fn merge(known: &mut Property, new: &Property) -> Result<(), String> {
    if let (Kind::List { min, .. }, Kind::List { min: other, .. }) = (&mut known.kind, &new.kind) {
        *min = (*min).max(*other);
        return Ok(());
    }
    if known == new {
        Ok(())
    } else {
        Err(format!("{known:?} and {new:?}"))
    }
}

fn places(path: &str, schema: &Schema) -> Result<Option<u32>, String> {
    match schema
        .multiple_of
        .as_ref()
        .map(ToString::to_string)
        .as_deref()
    {
        None => Ok(None),
        Some("0.1") => Ok(Some(1)),
        Some(other) => Err(format!("{path}: cannot generate multipleOf {other}")),
    }
}

/// Objects within what a station sends: its requests, and its responses to ours.
fn received(model: &Model) -> BTreeSet<String> {
    let mut received = BTreeSet::new();
    for message in &model.messages {
        if message.sender != Sender::Csms {
            mark(&message.request, model, &mut received);
        }
        if message.sender != Sender::Station {
            mark(&message.response, model, &mut received);
        }
    }
    received
}

fn mark(properties: &[Property], model: &Model, received: &mut BTreeSet<String>) {
    for property in properties {
        let kind = match &property.kind {
            Kind::List { of, .. } => of,
            kind => kind,
        };
        if let Kind::Object(name) = kind
            && received.insert(name.clone())
        {
            mark(&model.objects[name], model, received);
        }
    }
}
