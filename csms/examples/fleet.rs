//! The fleet of `make bench`: stations `SIM-00000`… without a password, `KEY-00000`… with one password among them, and
//! tokens `TAG00000`….

use service::clock::Clock;
use store::Room;
use store::id_tokens::{self, IdToken};
use store::secrets::hash_password;
use store::stations::{self, NewStation, Registration};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, count, password] = &arguments[..] else {
        return Err("usage: fleet DATABASE_URL COUNT PASSWORD".into());
    };
    let (count, now): (u32, _) = (count.parse()?, Clock::system().now());
    // One hash for all: what is measured later is the reconnecting, not this.
    let hash = hash_password(password.as_bytes());
    let pool = store::pool::connect(url, Room::Owner, 1)?;
    let mut all = pool.begin().await?;
    for number in 0..count {
        for (name, password_hash) in [("SIM", None), ("KEY", Some(hash.as_str()))] {
            let station = NewStation {
                identity: &format!("{name}-{number:05}"),
                site_id: None,
                registration: Registration::Accepted,
                security_profile: i16::from(password_hash.is_some()),
                password_hash,
            };
            stations::add(&mut all, &station, now).await?;
        }
        let token = IdToken {
            token: format!("TAG{number:05}"),
            kind: "RFID".to_owned(),
            status: "accepted".to_owned(),
            parent: None,
            expires_at: None,
            max_active: None,
            owner: String::new(),
        };
        id_tokens::put(&mut all, &token, now).await?;
    }
    all.commit().await?;
    Ok(())
}
