//! What the guest is doing, and its answers to requests.

use wire::{Config, Grid, Heartbeat, Layout, Message, Refusal, State, Verification};

use crate::disk::{Disk, Writes};
use crate::memory::{Memory, own_nonzero_pages};
use crate::network::Peer;
use crate::verify::Check;
use crate::workload::Workload;

/// Beats while nobody has configured the guest yet.
const WAITING_INTERVAL_US: u32 = 10_000;

/// What the guest is doing.
enum Activity {
    Waiting,
    Filling(Workload),
    Steady(Workload),
    Verifying(Workload, Verifying),
}

/// A check under way, or the one that ended last.
enum Verifying {
    Running { request: u32, asked_by: Peer, check: Check },
    Ended { request: u32, verification: Verification },
}

/// A configuration that was accepted.
struct Accepted {
    request: u32,
    layout: Layout,
}

/// The guest's state between two events.
pub struct Session {
    memory: Memory,
    /// A disk that nothing is written to.
    disk: Option<Disk>,
    /// What is written to the disk, once configured.
    writes: Option<Writes>,
    image_checksum: u64,
    activity: Activity,
    accepted: Option<Accepted>,
    beats_to: Peer,
    beats: Option<Grid>,
    next_sequence: u64,
}

impl Session {
    /// A guest that waits for its configuration and beats to everybody.
    pub fn new(memory: Memory, disk: Option<Disk>, image_checksum: u64, now_ns: u64) -> Self {
        Self {
            memory,
            disk,
            writes: None,
            image_checksum,
            activity: Activity::Waiting,
            accepted: None,
            beats_to: Peer::EVERYBODY,
            beats: Grid::new(now_ns, WAITING_INTERVAL_US),
            next_sequence: 0,
        }
    }

    /// When the next beat is due; `None` for never.
    pub fn next_beat_ns(&self) -> Option<u64> {
        self.beats.map(|grid| grid.next_ns())
    }

    /// The beat that is due at `now_ns`, and where to.
    pub fn beat(&mut self, now_ns: u64) -> Option<(Peer, Message)> {
        if !self.beats.as_mut()?.take(now_ns) {
            return None;
        }
        let (state, pages_written, pages_dropped, passes) = match &self.activity {
            Activity::Waiting => (State::Waiting, 0, 0, 0),
            Activity::Filling(workload) => (State::Filling, workload.filled(), 0, 0),
            Activity::Steady(workload) => steady(State::Steady, workload),
            Activity::Verifying(workload, _) => steady(State::Verifying, workload),
        };
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        let writes = self.writes.as_ref();
        let beat = Heartbeat {
            sequence,
            guest_ns: now_ns,
            state,
            pages_written,
            pages_dropped,
            passes,
            disk_writes: writes.map_or(0, Writes::acknowledged),
            disk_errors: writes.map_or(0, Writes::errors),
        };
        Some((self.beats_to, Message::Heartbeat(beat)))
    }

    /// Does a small unit of what there is to do. `false` when nothing is due at `now_ns`.
    pub fn work(&mut self, now_ns: u64) -> bool {
        match &mut self.activity {
            Activity::Waiting => false,
            Activity::Filling(workload) => {
                if workload.fill_some(&mut self.memory.region, now_ns) {
                    self.become_steady(now_ns);
                }
                true
            }
            Activity::Steady(workload) => {
                let touched = workload.touch_some(&mut self.memory.region, now_ns);
                let wrote = self.writes.as_mut().is_some_and(|writes| writes.some(now_ns));
                touched || wrote
            }
            Activity::Verifying(_, verifying) => matches!(verifying, Verifying::Running { .. }),
        }
    }

    /// Goes on with a check under way; its answer, and to whom, when it has ended.
    pub fn check(&mut self, now_ns: u64) -> Option<(Peer, Message)> {
        let Activity::Verifying(_, verifying) = &mut self.activity else { return None };
        let Verifying::Running { request, asked_by, check } = verifying else { return None };
        let (request, asked_by) = (*request, *asked_by);
        let verification = check.step(&mut self.memory, self.writes.as_mut(), now_ns)?;
        *verifying = Verifying::Ended { request, verification };
        Some((asked_by, Message::Verified { request, verification }))
    }

    /// Takes a request and gives the answer to be sent at once, if there is one.
    pub fn request(&mut self, from: Peer, message: &Message, now_ns: u64) -> Option<Message> {
        match *message {
            Message::Configure { request, config } => {
                Some(self.configure(from, request, config, now_ns))
            }
            Message::Verify { request } => self.verify(from, request, now_ns),
            // Answers are for others; a broadcast may bring them here.
            Message::Heartbeat(_)
            | Message::Configured { .. }
            | Message::Verified { .. }
            | Message::Refused { .. } => None,
        }
    }

    fn configure(&mut self, from: Peer, request: u32, config: Config, now_ns: u64) -> Message {
        if let Some(accepted) = &self.accepted {
            return if accepted.request == request {
                Message::Configured { request, layout: accepted.layout }
            } else {
                Message::Refused { request, refusal: Refusal::AlreadyConfigured }
            };
        }
        let workload_pages = self.memory.region.pages();
        if config.filled_pages > workload_pages || config.working_set_pages > config.filled_pages {
            return Message::Refused { request, refusal: Refusal::TooManyPages };
        }
        if config.disk_blocks > self.disk.as_ref().map_or(0, Disk::blocks) {
            return Message::Refused { request, refusal: Refusal::TooManyBlocks };
        }
        if config.disk_blocks > 0 {
            self.writes = self.disk.take().map(|disk| Writes::new(disk, &config));
        }
        let layout = Layout {
            memory_pages: self.memory.ram_pages,
            workload_pages,
            own_pages: own_nonzero_pages(),
        };
        self.accepted = Some(Accepted { request, layout });
        self.activity = Activity::Filling(Workload::new(config));
        self.beats_to = from;
        self.beats = Grid::new(now_ns, config.heartbeat_interval_us);
        Message::Configured { request, layout }
    }

    fn verify(&mut self, from: Peer, request: u32, now_ns: u64) -> Option<Message> {
        if let Some(accepted) = &self.accepted
            && !wire::is_of_same_trial(accepted.request, request)
        {
            return None;
        }
        let (workload, verifying) = match &mut self.activity {
            Activity::Waiting | Activity::Filling(_) => {
                return Some(Message::Refused { request, refusal: Refusal::NotSteady });
            }
            Activity::Steady(_) => {
                let Activity::Steady(workload) =
                    core::mem::replace(&mut self.activity, Activity::Waiting)
                else {
                    unreachable!("just matched")
                };
                let check =
                    Check::new(*workload.config(), workload.touches(), self.image_checksum, now_ns);
                let running = Verifying::Running { request, asked_by: from, check };
                self.activity = Activity::Verifying(workload, running);
                return None;
            }
            Activity::Verifying(workload, verifying) => (workload, verifying),
        };
        match verifying {
            // The answer comes when the check ends. Another request must be sent again then.
            Verifying::Running { .. } => None,
            Verifying::Ended { request: ended, verification } if *ended == request => {
                Some(Message::Verified { request, verification: *verification })
            }
            Verifying::Ended { .. } => {
                let check =
                    Check::new(*workload.config(), workload.touches(), self.image_checksum, now_ns);
                *verifying = Verifying::Running { request, asked_by: from, check };
                None
            }
        }
    }

    fn become_steady(&mut self, now_ns: u64) {
        if let Some(writes) = &mut self.writes {
            writes.begin(now_ns);
        }
        let activity = core::mem::replace(&mut self.activity, Activity::Waiting);
        self.activity = match activity {
            Activity::Filling(workload) => Activity::Steady(workload),
            other => other,
        };
    }
}

/// What a beat says of a workload that has begun.
fn steady(state: State, workload: &Workload) -> (State, u64, u64, u64) {
    let touches = workload.touches();
    let passes = touches.checked_div(workload.config().working_set_pages).unwrap_or(0);
    (state, touches, workload.dropped(), passes)
}
