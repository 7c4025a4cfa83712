//! The steps of a run, and how a run is drawn from a seed. Numbers in a step are taken modulo what there is when it is
//! carried out, so that a run with steps left out is a run too.

use tidings_contract::faulty::Seed;

/// One event to publish; indices into the tables of [`super::names`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Post {
    pub(crate) channel: u8,
    pub(crate) also: Option<u8>,
    pub(crate) kind: u8,
    pub(crate) category: u8,
    pub(crate) key: Option<u8>,
    pub(crate) terminal: bool,
    pub(crate) idempotency: Option<u8>,
}

/// Where a stream or channel begins.
#[derive(Debug, Clone, Copy)]
pub(crate) enum From {
    Now,
    Start,
    /// A cursor that some client was given.
    Held(u16),
    /// The last one that was given.
    Last,
    /// A cursor of nobody's history.
    Foreign(u8),
}

/// One step.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Publish(Vec<Post>),
    PublishElsewhere(u8),
    Burst,
    /// Whether the hub is told of commits at once.
    Defer(bool),
    Deliver(u8),
    DeliverTwice,
    DeliverLast,
    Lose,
    Announce,
    Open {
        client: u8,
        patterns: Vec<u8>,
        filter: u8,
        from: From,
        poll: bool,
    },
    Resume {
        client: u8,
        from: From,
    },
    Take {
        client: u8,
        frames: u8,
    },
    Drop(u8),
    Change {
        client: u8,
        add: Vec<(u8, From)>,
        remove: Vec<u8>,
    },
    Unauthorize {
        client: u8,
        patterns: Vec<u8>,
    },
    Renew {
        client: u8,
        secs: u8,
    },
    End(u8),
    Block(u8),
    /// Seconds pass for the sessions.
    Tick(u8),
    /// Milliseconds pass for reads that are late.
    Wait(u8),
    /// Hours pass for the store, and it carries out its retention.
    Trim(u8),
    Restart,
    Backup,
    Restore(u8),
    CutTail(u8),
}

fn small(seed: &Seed, below: u64) -> u8 {
    u8::try_from(seed.below(below)).unwrap()
}

fn some(seed: &Seed, percent: u8, below: u64) -> Option<u8> {
    seed.happens(percent).then(|| small(seed, below))
}

fn many(seed: &Seed, least: u64, most: u64) -> Vec<u8> {
    (0..least + seed.below(most - least + 1)).map(|_| small(seed, 250)).collect()
}

fn post(seed: &Seed) -> Post {
    Post {
        channel: small(seed, 250),
        also: some(seed, 30, 250),
        kind: small(seed, 2),
        category: small(seed, 3),
        key: some(seed, 50, 2),
        terminal: seed.happens(2),
        idempotency: some(seed, 10, 4),
    }
}

fn posts(seed: &Seed) -> Vec<Post> {
    let count = if seed.happens(50) { 1 } else { 2 + seed.below(7) };
    (0..count).map(|_| post(seed)).collect()
}

fn from(seed: &Seed) -> From {
    match seed.below(20) {
        0..6 => From::Now,
        6..10 => From::Start,
        10..12 => From::Foreign(small(seed, 250)),
        12..16 => From::Last,
        _ => From::Held(u16::try_from(seed.below(60_000)).unwrap()),
    }
}

fn change(seed: &Seed) -> Step {
    let count = seed.below(4);
    let add = (0..count).map(|_| (small(seed, 250), from(seed))).collect();
    let remove = if seed.happens(40) { many(seed, 1, 2) } else { Vec::new() };
    Step::Change { client: small(seed, 250), add, remove }
}

fn open(seed: &Seed) -> Step {
    Step::Open {
        client: small(seed, 250),
        patterns: many(seed, u64::from(seed.happens(95)), 3),
        filter: small(seed, 250),
        from: from(seed),
        poll: seed.happens(20),
    }
}

fn step(seed: &Seed) -> Step {
    let client = small(seed, 250);
    match seed.below(1_000) {
        0..220 => Step::Publish(posts(seed)),
        220..225 => Step::PublishElsewhere(client),
        225..230 => Step::Burst,
        230..245 => Step::Defer(seed.happens(60)),
        245..260 => Step::Deliver(1 + small(seed, 3)),
        260..265 => Step::DeliverTwice,
        265..270 => Step::DeliverLast,
        270..275 => Step::Lose,
        275..285 => Step::Announce,
        285..345 => open(seed),
        345..405 => Step::Resume { client, from: if seed.happens(60) { From::Last } else { from(seed) } },
        405..700 => Step::Take { client, frames: 1 + small(seed, if seed.happens(60) { 4 } else { 40 }) },
        700..720 => Step::Drop(client),
        720..790 => change(seed),
        790..805 => Step::Unauthorize { client, patterns: many(seed, 1, 2) },
        805..810 => Step::Renew { client, secs: small(seed, 120) },
        810..813 => Step::End(client),
        813..823 => Step::Block(client),
        823..870 => Step::Tick(1 + small(seed, if seed.happens(80) { 12 } else { 90 })),
        870..930 => Step::Wait(1 + small(seed, 30)),
        930..965 => Step::Trim(small(seed, 30)),
        965..975 => Step::Restart,
        975..982 => Step::Backup,
        982..988 => Step::Restore(client),
        988..993 => Step::CutTail(small(seed, 6)),
        _ => Step::Take { client, frames: 60 },
    }
}

/// The steps of the run with this seed.
pub(crate) fn steps(seed: &Seed, count: usize) -> Vec<Step> {
    let mut steps = vec![Step::Publish(posts(seed)), open(seed)];
    steps.extend((0..count).map(|_| step(seed)));
    steps
}
