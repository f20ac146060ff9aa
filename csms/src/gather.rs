//! Gathered reads: questions of many connections, asked in one statement. While one statement runs, the next questions
//! gather; there is no timer. Writes gather in `ingest`.

use std::future::Future;
use std::time::Duration;

use store::lookup::{
    self, ReservationQuery, Reserved, StartKey, Token, Transaction, TransactionQuery,
};
use store::stations::Station;
use store::tag_mappings::{self, Account};
use store::{Error, Pool, Result};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// The most questions in one statement.
const MOST: usize = 512;
/// Between two tries while the database is away.
const PAUSE: Duration = Duration::from_millis(100);

/// The database did not answer for as long as an outage may last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the database does not answer")]
pub(crate) struct Unavailable;

/// Everything that is asked before a decision.
pub(crate) struct Lookups {
    stations: Gather<String, Option<Station>>,
    tokens: Gather<String, Option<Token>>,
    accounts: Gather<String, Option<Account>>,
    transactions: Gather<TransactionQuery, Vec<Transaction>>,
    starts: Gather<StartKey, Vec<Transaction>>,
    reservations: Gather<ReservationQuery, Vec<Reserved>>,
}

impl Lookups {
    pub(crate) fn start(pool: &Pool, patience: Duration) -> Self {
        Lookups {
            stations: Gather::start(pool, patience, async |pool: &Pool, asked: &[String]| {
                lookup::stations(&mut *pool.acquire().await?, asked).await
            }),
            tokens: Gather::start(pool, patience, async |pool: &Pool, asked: &[String]| {
                lookup::tokens(&mut *pool.acquire().await?, asked).await
            }),
            accounts: Gather::start(pool, patience, async |pool: &Pool, asked: &[String]| {
                tag_mappings::accounts(&mut *pool.acquire().await?, asked).await
            }),
            transactions: Gather::start(
                pool,
                patience,
                async |pool: &Pool, asked: &[TransactionQuery]| {
                    lookup::transactions(&mut *pool.acquire().await?, asked).await
                },
            ),
            starts: Gather::start(pool, patience, async |pool: &Pool, asked: &[StartKey]| {
                lookup::starts(&mut *pool.acquire().await?, asked).await
            }),
            reservations: Gather::start(
                pool,
                patience,
                async |pool: &Pool, asked: &[ReservationQuery]| {
                    lookup::reservations(&mut *pool.acquire().await?, asked).await
                },
            ),
        }
    }

    /// The station of this identity, as it is registered now.
    pub(crate) async fn station(
        &self,
        identity: &str,
    ) -> std::result::Result<Option<Station>, Unavailable> {
        self.stations.ask(identity.to_owned()).await
    }

    /// What is known of a token.
    pub(crate) async fn token(
        &self,
        token: &str,
    ) -> std::result::Result<Option<Token>, Unavailable> {
        self.tokens.ask(token.to_owned()).await
    }

    /// On whose account a token charges.
    pub(crate) async fn account(
        &self,
        token: &str,
    ) -> std::result::Result<Option<Account>, Unavailable> {
        self.accounts.ask(token.to_owned()).await
    }

    /// The transactions that a start already made.
    pub(crate) async fn starts(
        &self,
        key: StartKey,
    ) -> std::result::Result<Vec<Transaction>, Unavailable> {
        self.starts.ask(key).await
    }

    /// The reservations of a station that a start may be made on.
    pub(crate) async fn reservations(
        &self,
        query: ReservationQuery,
    ) -> std::result::Result<Vec<Reserved>, Unavailable> {
        self.reservations.ask(query).await
    }

    /// The open transactions of a station, and the one that the query names.
    pub(crate) async fn transactions(
        &self,
        query: TransactionQuery,
    ) -> std::result::Result<Vec<Transaction>, Unavailable> {
        self.transactions.ask(query).await
    }
}

/// What is asked, by whom, and since when.
type Question<Q, A> = (Q, oneshot::Sender<A>, Instant);

/// One kind of question.
struct Gather<Q, A> {
    questions: mpsc::UnboundedSender<Question<Q, A>>,
}

impl<Q: Send + Sync + 'static, A: Send + 'static> Gather<Q, A> {
    fn start<F>(pool: &Pool, patience: Duration, ask: F) -> Self
    where
        F: for<'a> AsyncAsk<'a, Q, A> + Send + Sync + 'static,
    {
        let (questions, gathered) = mpsc::unbounded_channel();
        tokio::spawn(answer_forever(pool.clone(), gathered, patience, ask));
        Gather { questions }
    }

    /// Without a timer of its own: whoever answers gives up in time.
    async fn ask(&self, question: Q) -> std::result::Result<A, Unavailable> {
        let (tell, told) = oneshot::channel();
        self.questions
            .send((question, tell, Instant::now()))
            .map_err(|_| Unavailable)?;
        told.await.map_err(|_| Unavailable)
    }
}

/// An async function from questions to their answers in the same order. (A plain `AsyncFn` bound cannot say that its
/// future is `Send`.)
trait AsyncAsk<'a, Q: 'a, A> {
    type Future: Future<Output = Result<Vec<A>>> + Send + 'a;
    fn ask(&self, pool: &'a Pool, questions: &'a [Q]) -> Self::Future;
}

impl<'a, Q: 'a, A, F, R> AsyncAsk<'a, Q, A> for F
where
    F: Fn(&'a Pool, &'a [Q]) -> R,
    R: Future<Output = Result<Vec<A>>> + Send + 'a,
{
    type Future = R;
    fn ask(&self, pool: &'a Pool, questions: &'a [Q]) -> R {
        self(pool, questions)
    }
}

async fn answer_forever<Q, A, F>(
    pool: Pool,
    mut gathered: mpsc::UnboundedReceiver<Question<Q, A>>,
    patience: Duration,
    ask: F,
) where
    F: for<'a> AsyncAsk<'a, Q, A>,
{
    let mut waiting = Vec::with_capacity(MOST);
    while gathered.recv_many(&mut waiting, MOST).await > 0 {
        // The oldest has waited longest, and is not to wait longer than that.
        let oldest = waiting.first().map_or_else(Instant::now, |asked| asked.2);
        let give_up = oldest + patience;
        let split = |(question, tell, _)| (question, tell);
        let (questions, tells): (Vec<Q>, Vec<_>) = waiting.drain(..).map(split).unzip();
        let answers = loop {
            let told = tokio::time::timeout_at(give_up, ask.ask(&pool, &questions)).await;
            match told {
                Ok(Ok(answers)) => break answers,
                Ok(Err(error)) if error.is_retryable() && Instant::now() < give_up => {
                    tokio::time::sleep(PAUSE).await;
                }
                Ok(Err(error)) => {
                    log(&error);
                    break Vec::new();
                }
                Err(_) => break Vec::new(),
            }
        };
        // Whoever got no answer sees its sender dropped.
        for (answer, tell) in answers.into_iter().zip(tells) {
            drop(tell.send(answer));
        }
    }
}

fn log(error: &Error) {
    tracing::error!(%error, "a gathered read failed");
}
