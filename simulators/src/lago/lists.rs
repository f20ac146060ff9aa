//! The stand-in's answers: lists in pages, things by name, refusals; and the invoices, which somebody else made.

use serde_json::{Value, json};

use super::world::{Reply, World};

const PER_PAGE: usize = 100;

impl World {
    /// Adds an invoice, or changes it. `lago_id`, `number`, `issuing_date` and `customer.external_id` name it.
    pub fn put_invoice(&mut self, invoice: Value) {
        let id = invoice["lago_id"].clone();
        self.invoices.retain(|known| known["lago_id"] != id);
        self.invoices.push(invoice);
    }

    /// The newest first, as Lago has them.
    pub(super) fn list_invoices(&self, query: &[(String, String)]) -> Reply {
        let of =
            |invoice: &Value, name: &str| invoice[name].as_str().unwrap_or_default().to_owned();
        let is = |invoice: &Value, name: &str, field: &str| {
            asked(query, name).is_none_or(|wanted| of(invoice, field) == wanted)
        };
        let customer = asked(query, "external_customer_id");
        let wanted = |invoice: &&Value| {
            let day = of(invoice, "issuing_date");
            customer.is_none_or(|id| invoice["customer"]["external_id"] == id)
                && is(invoice, "status", "status")
                && is(invoice, "payment_status", "payment_status")
                && asked(query, "issuing_date_from").is_none_or(|from| day.as_str() >= from)
                && asked(query, "issuing_date_to").is_none_or(|to| day.as_str() <= to)
        };
        let mut found: Vec<Value> = self.invoices.iter().filter(wanted).cloned().collect();
        found.sort_by_key(|invoice| std::cmp::Reverse(of(invoice, "issuing_date")));
        page("invoices", found.into_iter(), query)
    }

    pub(super) fn invoice(&self, id: &str) -> Reply {
        let invoice = self.invoices.iter().find(|known| known["lago_id"] == id);
        found("invoice", invoice.cloned())
    }
}

pub(super) fn asked<'q>(query: &'q [(String, String)], name: &str) -> Option<&'q str> {
    let (_, value) = query.iter().find(|(known, _)| known == name)?;
    Some(value)
}

pub(super) fn page(
    name: &str,
    items: impl Iterator<Item = Value>,
    query: &[(String, String)],
) -> Reply {
    let number = |name, default| {
        asked(query, name)
            .and_then(|text| text.parse().ok())
            .filter(|number| *number > 0)
            .unwrap_or(default)
    };
    let (current, per_page): (usize, usize) = (number("page", 1), number("per_page", PER_PAGE));
    let items: Vec<Value> = items.collect();
    let pages = items.len().div_ceil(per_page);
    let shown: Vec<&Value> = items
        .iter()
        .skip((current - 1) * per_page)
        .take(per_page)
        .collect();
    ok(json!({ name: shown, "meta": {
        "current_page": current, "next_page": (current < pages).then_some(current + 1),
        "prev_page": (current > 1).then(|| current - 1), "total_pages": pages, "total_count": items.len(),
    }}))
}

pub(super) fn ok(body: Value) -> Reply {
    Reply { status: 200, body }
}

pub(super) fn found(name: &str, thing: Option<Value>) -> Reply {
    match thing {
        Some(thing) => ok(json!({ name: thing })),
        None => Reply {
            status: 404,
            body: json!({ "status": 404, "error": "Not Found", "code": format!("{name}_not_found") }),
        },
    }
}

pub(super) fn invalid(details: Value) -> Reply {
    unprocessable("validation_errors", Some(details))
}

pub(super) fn unprocessable(code: &str, details: Option<Value>) -> Reply {
    let mut body = json!({ "status": 422, "error": "Unprocessable Entity", "code": code });
    if let Some(details) = details {
        body["error_details"] = details;
    }
    Reply { status: 422, body }
}
