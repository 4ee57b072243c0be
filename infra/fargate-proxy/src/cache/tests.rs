use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::time::{advance, sleep};

/// Knows what it is told, takes its time, and counts.
#[derive(Default)]
struct Fake {
    answer: Mutex<Option<Option<Route>>>,
    asked: AtomicUsize,
    takes: Duration,
}

#[async_trait]
impl Lookup for Arc<Fake> {
    async fn lookup(&self, _: &ClusterName) -> Result<Option<Route>, String> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        sleep(self.takes).await;
        self.answer.lock().unwrap().clone().ok_or_else(|| "the table is away".to_owned())
    }
}

struct Story {
    fake: Arc<Fake>,
    routes: CachedRoutes<Arc<Fake>>,
}

impl Story {
    fn new(takes: Duration) -> Self {
        let fake = Arc::new(Fake { takes, ..Fake::default() });
        Story { routes: CachedRoutes::new(fake.clone()), fake }
    }

    fn say(&self, answer: Option<Option<Route>>) {
        *self.fake.answer.lock().unwrap() = answer;
    }

    async fn ask(&self) -> Option<Route> {
        self.routes.lookup(&name(0)).await.unwrap_or(None)
    }

    fn asked(&self) -> usize {
        self.fake.asked.load(Ordering::SeqCst)
    }
}

fn name(n: usize) -> ClusterName {
    format!("{n:032x}").parse().unwrap()
}

fn route(port: u16) -> Option<Route> {
    Some(Route { scheduler: ([10, 0, 0, 7], port).into(), dashboard: None, closed: false })
}

#[tokio::test(start_paused = true)]
async fn a_route_is_read_once_in_five_seconds() {
    let story = Story::new(Duration::ZERO);
    story.say(Some(route(1)));
    assert_eq!(story.ask().await, route(1));
    story.say(Some(route(2)));
    advance(Duration::from_millis(4_900)).await;
    assert_eq!((story.ask().await, story.asked()), (route(1), 1));
    advance(Duration::from_millis(200)).await;
    assert_eq!((story.ask().await, story.asked()), (route(2), 2));
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_is_nowhere_is_asked_for_again_after_a_second() {
    let story = Story::new(Duration::ZERO);
    story.say(Some(None));
    assert_eq!(story.ask().await, None);
    story.say(Some(route(1)));
    advance(Duration::from_millis(900)).await;
    assert_eq!((story.ask().await, story.asked()), (None, 1));
    advance(Duration::from_millis(200)).await;
    assert_eq!((story.ask().await, story.asked()), (route(1), 2));
}

#[tokio::test(start_paused = true)]
async fn a_hundred_connections_at_once_share_one_question() {
    for answer in [Some(route(1)), Some(None), None] {
        let story = Story::new(Duration::from_millis(100));
        story.say(answer.clone());
        let all = futures::future::join_all((0..100).map(|_| story.ask())).await;
        assert_eq!(story.asked(), 1);
        assert!(all.iter().all(|one| *one == answer.clone().flatten()));
    }
}

#[tokio::test(start_paused = true)]
async fn one_who_leaves_while_it_asks_leaves_the_question_to_the_next() {
    let story = Story::new(Duration::from_millis(100));
    story.say(Some(route(1)));
    let (left, stayed) = tokio::join!(tokio::time::timeout(Duration::from_millis(10), story.ask()), story.ask());
    assert!(left.is_err());
    assert_eq!((stayed, story.asked()), (route(1), 2));
}

#[tokio::test(start_paused = true)]
async fn the_last_answer_stands_in_for_a_minute_while_the_table_is_away() {
    let story = Story::new(Duration::ZERO);
    story.say(Some(route(1)));
    assert_eq!(story.ask().await, route(1));
    story.say(None);
    for second in 1..60 {
        advance(Duration::from_secs(1)).await;
        assert_eq!(story.ask().await, route(1), "after {second} s");
    }
    assert!(story.asked() <= 56, "asked once a second: {}", story.asked());
    advance(Duration::from_secs(1)).await;
    assert_eq!(story.ask().await, None);
    advance(Duration::from_secs(1)).await;
    story.say(Some(route(2)));
    assert_eq!(story.ask().await, route(2), "it is back");
}

#[tokio::test(start_paused = true)]
async fn what_was_never_read_is_nowhere_and_asked_for_again() {
    let story = Story::new(Duration::ZERO);
    assert_eq!((story.ask().await, story.ask().await, story.asked()), (None, None, 1));
    advance(RETRY).await;
    story.say(Some(route(1)));
    assert_eq!((story.ask().await, story.asked()), (route(1), 2));
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_names_takes_no_more_room_and_forgets_no_route() {
    let story = Story::new(Duration::ZERO);
    story.say(Some(route(1)));
    story.ask().await;
    story.say(Some(None));
    for n in 1..3 * CAPACITY {
        assert_eq!(story.routes.lookup(&name(n)).await, Ok(None));
    }
    assert!(story.routes.entries.lock().unwrap().len() <= CAPACITY);
    assert_eq!(story.ask().await, route(1), "still known");
    // all of them routes: then some room is made nevertheless
    story.say(Some(route(2)));
    for n in 1..2 * CAPACITY {
        assert_eq!(story.routes.lookup(&name(3 * CAPACITY + n)).await, Ok(route(2)));
    }
    assert!(story.routes.entries.lock().unwrap().len() <= CAPACITY);
}
