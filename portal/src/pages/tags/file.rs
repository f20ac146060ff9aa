//! Id tags as a file, and a file of them taken in: CSV with a line of heads. All of it is taken, or nothing.

use std::collections::HashSet;

use axum::{extract::State, http::StatusCode, response::Response};
use ocpp::limits::LONGEST_ID_TAG;
use serde_json::json;
use store::{
    audit,
    id_tokens::{self, IdToken},
};

use super::{Asked, STATUSES};
use crate::{
    AppState, Error, Result,
    api::input::printable,
    auth::Viewer,
    export::{self, Cell, Kind, Sheet},
    pages::{asked::Parameters, flash::Flash, form::Form, frame::Frame},
    view::time,
};

/// The heads, in their order; only the first must be there.
const HEADS: [&str; 7] = [
    "token",
    "status",
    "owner",
    "parent",
    "kind",
    "expires_at",
    "max_active",
];
/// Tags read at a time.
const BATCH: i64 = 500;
/// Lines of one file.
const MOST: usize = 20_000;
/// Mistakes told at once.
const TOLD: usize = 10;
/// Of an id token.
const LONGEST: usize = 36;

/// `GET /tags.csv`: the tags of the filter.
pub(super) async fn csv(
    State(app): State<AppState>,
    frame: Frame,
    parameters: Parameters,
) -> Result<Response> {
    let asked = Asked::read(&parameters)?;
    let sheet = Sheet {
        name: "id_tags".to_owned(),
        title: "Id tags",
        columns: HEADS.map(|head| (head.to_owned(), 20)).to_vec(),
        filters: Vec::new(),
    };
    let turn = app.exports.clone().acquire_owned().await;
    let (to, rows) = export::channel();
    tokio::spawn(async move {
        let _turn = turn;
        let mut after: Option<String> = None;
        loop {
            let found = match frame.scope.begin(&app.pool).await {
                Ok(mut db) => {
                    id_tokens::search(&mut db, &asked.filter, after.as_deref(), BATCH).await
                }
                Err(error) => Err(error),
            };
            let found = match found {
                Ok(found) => found,
                // If nobody waits any more, nobody needs to know.
                Err(error) => return drop(to.send(Err(error.into())).await),
            };
            let more = i64::try_from(found.len()).is_ok_and(|found| found == BATCH);
            after = found.last().map(|last| last.token.token.clone());
            for tag in found {
                if to.send(Ok(cells(tag.token))).await.is_err() {
                    return;
                }
            }
            if !more {
                return;
            }
        }
    });
    export::answer(Kind::Csv, sheet, rows).await
}

fn cells(token: IdToken) -> Vec<Cell> {
    let text = |text: Option<String>| text.map_or(Cell::Empty, Cell::Text);
    vec![
        Cell::Text(token.token),
        Cell::Text(token.status),
        text(Some(token.owner).filter(|owner| !owner.is_empty())),
        text(token.parent),
        Cell::Text(token.kind),
        text(token.expires_at.map(time::exact)),
        token
            .max_active
            .map_or(Cell::Empty, |most| Cell::Whole(i64::from(most))),
    ]
}

/// `POST /tags/import`: every line makes a tag or changes it.
pub(super) async fn import(
    State(app): State<AppState>,
    viewer: Viewer,
    form: Form,
) -> Result<Response> {
    let Some(file) = form.file("file") else {
        let said = "Choose a CSV file first: its first line names the columns, token among them.";
        return Ok(Flash::new(said).to(&app, "/tags"));
    };
    let tokens = read(file).map_err(|mistakes| {
        let told = mistakes.iter().take(TOLD).cloned().collect::<Vec<_>>();
        let more = match mistakes.len().saturating_sub(TOLD) {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        Error::Refused(
            StatusCode::UNPROCESSABLE_ENTITY,
            format!("nothing was taken from the file: {}{more}", told.join("; ")),
        )
    })?;
    let now = app.clock.now();
    let mut db = viewer.scope.begin(&app.pool).await?;
    for token in &tokens {
        if let Some(parent) = &token.parent
            && id_tokens::leads_to(&mut db, parent, &token.token).await?
        {
            let detail = format!(
                "nothing was taken from the file: {parent:?}, the parent of {:?}, has it above itself",
                token.token
            );
            return Err(Error::Refused(StatusCode::UNPROCESSABLE_ENTITY, detail));
        }
        id_tokens::put(&mut db, token, now).await?;
    }
    let detail = json!({ "tags": tokens.len() });
    let done = viewer.did(now, "id_token.import", "id_tokens".to_owned(), detail);
    audit::record(&mut db, &done).await?;
    db.commit().await?;
    let said = match tokens.len() {
        1 => "1 id tag was taken in.".to_owned(),
        many => format!("{many} id tags were taken in."),
    };
    Ok(Flash::new(said).to(&app, "/tags"))
}

/// The tags of a file, or everything that is wrong with it, by line.
fn read(file: &[u8]) -> std::result::Result<Vec<IdToken>, Vec<String>> {
    // Spreadsheets begin a file with a mark of its encoding.
    let file = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .flexible(true)
        .from_reader(file);
    let heads = match reader.headers() {
        Ok(heads) => heads.clone(),
        Err(error) => return Err(vec![format!("line 1: {error}")]),
    };
    let mut mistakes: Vec<String> = heads
        .iter()
        .filter(|head| !HEADS.contains(head))
        .map(|head| format!("line 1: “{head}” is none of {}", HEADS.join(", ")))
        .collect();
    if !heads.iter().any(|head| head == "token") {
        mistakes.push("line 1: the column token is missing".to_owned());
    }
    let (mut tokens, mut known) = (Vec::new(), HashSet::new());
    for (index, record) in reader.records().enumerate() {
        let line = index + 2;
        if index >= MOST {
            mistakes.push(format!(
                "line {line}: expected at most {MOST} tags in one file"
            ));
            break;
        }
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                mistakes.push(format!("line {line}: {error}"));
                continue;
            }
        };
        let cell = |name: &str| {
            let at = heads.iter().position(|head| head == name);
            at.and_then(|at| record.get(at)).unwrap_or_default()
        };
        match token(cell) {
            Ok(token) if known.insert(token.token.to_lowercase()) => tokens.push(token),
            Ok(token) => mistakes.push(format!("line {line}: {} is there twice", token.token)),
            Err(mistake) => mistakes.push(format!("line {line}: {mistake}")),
        }
    }
    if mistakes.is_empty() {
        Ok(tokens)
    } else {
        Err(mistakes)
    }
}

/// One line.
fn token<'a>(cell: impl Fn(&str) -> &'a str) -> std::result::Result<IdToken, String> {
    let or = |text: &str, usual: &str| if text.is_empty() { usual } else { text }.to_owned();
    let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    // What our own file guards against spreadsheets is not part of the text.
    let plain = |name: &str| {
        let text = cell(name);
        match text.strip_prefix('\'') {
            Some(rest) if rest.starts_with(['=', '+', '-', '@']) => rest.to_owned(),
            _ => text.to_owned(),
        }
    };
    let token = plain("token");
    if !printable(&token, LONGEST) {
        return Err(format!("token: “{token}” is not 1 to {LONGEST} characters"));
    }
    let status = or(cell("status"), "accepted");
    if !STATUSES.contains(&status.as_str()) {
        return Err(format!(
            "status: “{status}” is none of {}",
            STATUSES.join(", ")
        ));
    }
    let parent = given(&plain("parent"));
    if parent
        .as_ref()
        .is_some_and(|parent| !printable(parent, LONGEST_ID_TAG))
    {
        return Err(format!("parent: expected 1 to {LONGEST_ID_TAG} characters"));
    }
    let expires_at =
        match cell("expires_at") {
            "" => None,
            text => Some(time::parse_utc(text, true).ok_or_else(|| {
                format!("expires_at: “{text}” is no time such as 2027-01-31T12:00")
            })?),
        };
    let max_active = match cell("max_active") {
        "" => None,
        text => Some(
            text.parse()
                .ok()
                .filter(|most: &i32| *most > 0)
                .ok_or_else(|| format!("max_active: “{text}” is no whole number from 1"))?,
        ),
    };
    let owner = plain("owner");
    if owner.chars().count() > 200 {
        return Err("owner: expected at most 200 characters".to_owned());
    }
    Ok(IdToken {
        token,
        kind: or(cell("kind"), "RFID"),
        status,
        parent,
        expires_at,
        max_active,
        owner,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_whole_or_every_mistake_is_told_by_line() {
        let file = "\u{feff}token,owner,status,expires_at\r\n04A1,Mara,,2027-01-31\r\n'+49,\"Quay, van 3\",blocked,\r\n";
        let tokens = read(file.as_bytes()).unwrap();
        assert_eq!(tokens.len(), 2);
        assert_eq!(
            (tokens[0].status.as_str(), tokens[0].kind.as_str()),
            ("accepted", "RFID")
        );
        assert!(tokens[0].expires_at.is_some());
        assert_eq!(
            (tokens[1].token.as_str(), tokens[1].owner.as_str()),
            ("+49", "Quay, van 3")
        );

        let wrong = "token,colour,status\n04A1,,maybe\n,,\n04B2,,\n04b2,,\n";
        let mistakes = read(wrong.as_bytes()).unwrap_err();
        let told: Vec<&str> = mistakes.iter().map(|mistake| &mistake[..7]).collect();
        assert_eq!(
            told,
            ["line 1:", "line 2:", "line 3:", "line 5:"],
            "{mistakes:?}"
        );
        assert!(read(b"").is_err());
    }
}
