//! Which reservation a start is made on, and whether it is its holder's. Nothing is read or written here.

use chrono::{DateTime, TimeDelta, Utc};
use ocpp::lenient::token_key;
use store::lookup::Reserved;
use store::reservations::By;

/// On a start that names the reservation of somebody else.
pub(crate) const OF_ANOTHER: &str = "reservation-of-another";
/// A charger's clock may be so far behind ours: what began longer before a reservation was not made on it.
const BEHIND: TimeDelta = TimeDelta::minutes(5);

/// A start, as far as reservations go.
pub(crate) struct Claim<'a> {
    /// The reservationId, if it names one.
    pub(crate) named: Option<i64>,
    pub(crate) connector: i32,
    pub(crate) id_token: &'a str,
    /// The token's group.
    pub(crate) parent: Option<&'a str>,
    pub(crate) at: DateTime<Utc>,
}

/// The reservation that ends with this start: the one that it names, whoever it is for; else the one that was kept for its
/// token at its place, that of the connector before that of the whole station (OCPP 1.6 5.13: a reservation ends when its
/// tag or group starts on it, and not every charger says so).
pub(crate) fn ended_by<'r>(claim: &Claim<'_>, kept: &'r [Reserved]) -> Option<(&'r Reserved, By)> {
    let named = |known: &&Reserved| claim.named == Some(i64::from(known.number));
    if let Some(known) = kept.iter().find(named) {
        let by = if is_for(known, claim) {
            By::Holder
        } else {
            By::Another
        };
        return Some((known, by));
    }
    let holds = |known: &Reserved| {
        let since = known
            .accepted_at
            .is_some_and(|since| since <= claim.at + BEHIND);
        since && claim.at <= known.expires_at && is_for(known, claim)
    };
    [claim.connector, 0]
        .into_iter()
        .find_map(|place| {
            kept.iter()
                .find(|known| known.connector == place && holds(known))
        })
        .map(|known| (known, By::Holder))
}

/// Whether it was kept for this token: by name, or because they are of one group.
fn is_for(known: &Reserved, claim: &Claim<'_>) -> bool {
    let same = |a: &str, b: &str| token_key(a) == token_key(b);
    let of_group = |group: &str| {
        same(group, claim.id_token) || claim.parent.is_some_and(|parent| same(group, parent))
    };
    same(&known.id_token, claim.id_token) || known.parent.as_deref().is_some_and(of_group)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minute)
    }

    /// Accepted at minute 60 until minute 120, for `TAG` of `GROUP`.
    fn kept(number: i32, connector: i32) -> Reserved {
        Reserved {
            id: Uuid::from_u128(7),
            number,
            connector,
            id_token: "TAG".to_owned(),
            parent: Some("GROUP".to_owned()),
            expires_at: at(120),
            accepted_at: Some(at(60)),
        }
    }

    fn claim(id_token: &str) -> Claim<'_> {
        Claim {
            named: None,
            connector: 1,
            id_token,
            parent: None,
            at: at(90),
        }
    }

    #[track_caller]
    fn check(claim: &Claim<'_>, kept: &[Reserved], expected: Option<(i32, By)>) {
        let found = ended_by(claim, kept).map(|(known, by)| (known.number, by));
        assert_eq!(found, expected);
    }

    #[test]
    fn the_named_one_ends_and_is_used_by_its_holder_or_the_holders_group_alone() {
        let all = [kept(12, 2), kept(11, 1)];
        let named = |id_token, parent| Claim {
            named: Some(12),
            parent,
            ..claim(id_token)
        };
        check(&named("tag ", None), &all, Some((12, By::Holder)));
        check(
            &named("SIBLING", Some("group")),
            &all,
            Some((12, By::Holder)),
        );
        check(&named("GROUP", None), &all, Some((12, By::Holder)));
        check(&named("STRANGER", None), &all, Some((12, By::Another)));
        check(
            &named("STRANGER", Some("OTHERS")),
            &all,
            Some((12, By::Another)),
        );
        let single = [Reserved {
            parent: None,
            ..kept(12, 2)
        }];
        check(
            &named("SIBLING", Some("GROUP")),
            &single,
            Some((12, By::Another)),
        );
    }

    #[test]
    fn a_holder_need_not_name_it_where_it_is_kept() {
        let whole_and_first = [kept(10, 0), kept(11, 1)];
        check(&claim("TAG"), &whole_and_first, Some((11, By::Holder)));
        check(&claim("TAG"), &[kept(10, 0)], Some((10, By::Holder)));
        let sibling = Claim {
            parent: Some("GROUP"),
            ..claim("SIBLING")
        };
        check(&sibling, &[kept(11, 1)], Some((11, By::Holder)));
        check(&claim("TAG"), &[kept(12, 2)], None);
        check(&claim("STRANGER"), &whole_and_first, None);
        let unheard_of = Claim {
            named: Some(99),
            ..claim("TAG")
        };
        check(&unheard_of, &[kept(11, 1)], Some((11, By::Holder)));
    }

    #[test]
    fn what_began_before_or_after_it_was_kept_was_not_made_on_it() {
        let begun = |minute| Claim {
            at: at(minute),
            ..claim("TAG")
        };
        for (minute, is) in [(54, false), (55, true), (120, true), (121, false)] {
            let expected = is.then_some((11, By::Holder));
            check(&begun(minute), &[kept(11, 1)], expected);
        }
        let unsure = [Reserved {
            accepted_at: None,
            ..kept(11, 1)
        }];
        check(&begun(90), &unsure, None);
    }
}
