//! What waits in the outbox is sent, if Lago's metric would bill it rightly and it is known to which subscription.

use chrono::TimeDelta;
use store::{
    Connection,
    lago::{
        events,
        link::{self, Link},
        runs::Tally,
    },
};

use super::{
    super::{Client, Patience, client::Error, send::Sender, wire},
    Log, Sync,
};

/// How long a good metric is believed in.
const METRIC_GOOD_FOR: TimeDelta = TimeDelta::minutes(10);

impl Sync {
    pub(super) async fn send(
        &self,
        db: &mut Connection,
        run: i64,
        tally: &mut Tally,
        log: &mut Log,
    ) -> store::Result<()> {
        let waiting = events::count_pending(db).await?;
        let Some(client) = &self.client else {
            log.info(&format!(
                "LAGO_API_URL is not set: {waiting} events wait in the outbox"
            ));
            return Ok(());
        };
        let before = link::load(db).await?;
        let Some(link) = Patience::admit(&before, self.clock.now()) else {
            log.warn(&format!(
                "Lago failed {} times in a row; it is left alone until {}",
                before.failures,
                before.next_try_at.unwrap_or_default().to_rfc3339()
            ));
            return Ok(());
        };
        if link.circuit == "half-open" {
            link::save_circuit(db, &link).await?;
        }
        if !self.is_metric_good(db, client, &link, tally, log).await? {
            return Ok(());
        }
        let link = Patience::succeeded(&link, self.clock.now());
        link::save_circuit(db, &link).await?;
        if !self
            .settle_subscriptions(db, client, &link, tally, log)
            .await?
        {
            return Ok(());
        }
        let sender = Sender {
            client,
            patience: self.patience,
            clock: &self.clock,
            cancel: &self.cancel,
            run,
        };
        sender.empty(db, link, tally, log).await
    }

    /// Whether the metric sums our property. Anything else would bill wrongly: then nothing is sent.
    async fn is_metric_good(
        &self,
        db: &mut Connection,
        client: &Client,
        link: &Link,
        tally: &mut Tally,
        log: &mut Log,
    ) -> store::Result<bool> {
        let now = self.clock.now();
        let fresh = link
            .metric_checked_at
            .is_some_and(|at| now - at < METRIC_GOOD_FOR);
        // A circuit that is to close again asks in any case: it is the probe.
        if link.metric_ok == Some(true) && fresh && link.circuit == "closed" {
            return Ok(true);
        }
        let code = &self.settings.metric_code;
        let found = match client.metric(code).await {
            Ok(metric) => wire::check_metric(&metric, &self.settings.metric_property),
            Err(Error::NotFound(_)) => Err(format!("Lago has no billable metric {code}")),
            Err(error) => {
                self.lago_failed(db, link, &error.to_string(), tally, log)
                    .await?;
                return Ok(false);
            }
        };
        let detail = match &found {
            Ok(detail) | Err(detail) => detail.clone(),
        };
        link::save_metric(db, Some(found.is_ok()), &detail, now).await?;
        if let Err(detail) = &found {
            let why = format!("{detail}; nothing is sent");
            log.error(&why);
            tally.errors.push(why);
        }
        Ok(found.is_ok())
    }

    /// Says of waiting events which subscription they go to, for good. False if Lago did not tell.
    async fn settle_subscriptions(
        &self,
        db: &mut Connection,
        client: &Client,
        link: &Link,
        tally: &mut Tally,
        log: &mut Log,
    ) -> store::Result<bool> {
        for customer in events::without_subscription(db).await? {
            let found = match client.subscriptions(Some(&customer)).await {
                Ok(found) => found,
                Err(Error::NotFound(_)) => Vec::new(),
                Err(error) => {
                    self.lago_failed(db, link, &error.to_string(), tally, log)
                        .await?;
                    return Ok(false);
                }
            };
            let first = found.first().map(|found| found.external_id.as_str());
            let none = "the customer has no active subscription";
            if first.is_none() {
                log.warn(&format!("{customer}: {none}; its events wait"));
            }
            events::settle_subscription(db, &customer, first.ok_or(none)).await?;
        }
        Ok(true)
    }

    async fn lago_failed(
        &self,
        db: &mut Connection,
        link: &Link,
        why: &str,
        tally: &mut Tally,
        log: &mut Log,
    ) -> store::Result<()> {
        let link = self
            .patience
            .failed(link, why, None, rand::random(), self.clock.now());
        link::save_circuit(db, &link).await?;
        log.error(why);
        tally.errors.push(why.to_owned());
        Ok(())
    }
}
