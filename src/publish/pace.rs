//! When the publisher acts: for how long it sleeps, and whether it is time to publish. Runs on the
//! publisher.

use std::time::Duration;

use super::Publisher;
use crate::arena::commit::Written;
use crate::flush::controller::SyncGoal;
use crate::flush::due::{self, Unpublished};
use crate::flush::signal::bit;
use crate::sys::moment;

/// How long the publisher sleeps while there is nothing to publish.
const IDLE: Duration = Duration::from_secs(3600);

/// A publish of as many bytes is followed by another before long: the publisher then sleeps for the
/// interval without being woken by the first batch of the next. A wake costs the collector some
/// microseconds; less than this is published so seldom that one more look would cost more.
const STREAM_BYTES: u64 = 32 << 10;

impl Publisher {
    /// Sleeps as long as nothing is due; wakes at once for what is urgent.
    pub(super) fn sleep(&mut self) -> u32 {
        let urgent = bit::STOP | bit::ABANDON | bit::BARRIER | bit::URGENT | bit::SEGMENT;
        if let Some(retry) = self.retry.pause() {
            return self.parts.shared.publisher.wait(bit::ABANDON, retry);
        }
        let interval = self.parts.shared.actuators.publish_every().saturating_sub(self.rested());
        // Where each batch is synced, the keeper's work is to give segments back.
        let gives_back = self.parts.shared.limits.sync == SyncGoal::EachBatch;
        let is_stream = self.last_bytes >= STREAM_BYTES && !interval.is_zero() && !gives_back;
        if self.is_behind || is_stream {
            return self.parts.shared.publisher.wait(urgent, interval);
        }
        self.parts.shared.publisher.wait(urgent | bit::WORK, IDLE)
    }

    /// For how long nothing was published.
    fn rested(&self) -> Duration {
        self.published_at.map_or(Duration::MAX, moment::since)
    }

    /// How long the written bytes may still wait.
    pub(super) fn decide(&self, written: &Written) -> Duration {
        if self.retry.has_failed() {
            return Duration::ZERO;
        }
        let waiting = Unpublished {
            bytes: written.bytes - self.published,
            since_publish: self.rested(),
            urgency: self.urgency,
        };
        due::publish_in(
            &waiting,
            self.parts.shared.actuators.publish_every(),
            &self.parts.shared.limits,
        )
    }
}
