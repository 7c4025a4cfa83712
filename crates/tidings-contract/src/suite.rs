//! The contract of the ports, as tests that every adapter runs.
//!
//! Owns: what is asked of a Log, Store, Directory, Users and AuditLog ([`Harness`], [`contract_tests!`](crate::contract_tests)) and of a
//! Tail ([`tail::TailHarness`], [`tail_tests!`](crate::tail_tests)). Leaves out: what one adapter promises beyond the
//! ports. A test asserts only what the ports' documentation says; where that leaves freedom (when expired things are
//! really dropped, whether a limit is hit just before or just after), the tests leave it too.
//!
//! Reading order: [`Harness`], [`kit`] (the bench on which every test works), then the groups in any order.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "everything below here is test code")]

pub mod answers;
pub mod audit;
pub mod commits;
pub mod cookie_sessions;
pub mod cursors;
pub mod directory;
pub mod floor;
pub mod health;
pub mod hold;
pub mod idempotency;
pub mod kit;
pub mod listing;
pub mod order;
pub mod paging;
pub mod reading;
pub mod records;
pub mod retention;
pub mod tail;
pub mod terminal;
pub mod users;
pub mod webhooks;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tidings_core::port::store::Policy;
use tidings_core::port::{AuditLog, Commits, Directory, Log, Store, Users};
use tidings_protocol::{Seq, TenantId};

use crate::clock::TestClock;

/// With what a node is started.
#[derive(Clone)]
pub struct Opening {
    /// How much is kept.
    pub policy: Policy,
    /// The wall clock: the only one that ages, expiry and windows may go by.
    pub clock: TestClock,
    /// Is told of every commit, from those of the start on.
    pub commits: Arc<dyn Commits>,
}

impl std::fmt::Debug for Opening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opening").field("policy", &self.policy).finish_non_exhaustive()
    }
}

/// How the suite starts, ends and ages an adapter. One value stands for one durable state, empty at first; at most one
/// node is open on it at a time.
pub trait Harness: Send + Sync + 'static {
    /// A running node.
    type Node: Log + Store + Directory + Users + AuditLog;
    /// A copy of the durable state.
    type Backup: Send + Sync;

    /// Starts a node on the durable state, whatever is there: the first start, or a restart.
    fn open(&self, opening: Opening) -> impl Future<Output = Self::Node> + Send;

    /// Ends a node as a kill does: nothing more is written, held values are not settled.
    fn close(&self, node: Self::Node) -> impl Future<Output = ()> + Send;

    /// Makes the node look at the clock, and returns when what is due by it has been committed: held values whose
    /// window is over. It must not settle others.
    fn wake(&self, node: &Self::Node) -> impl Future<Output = ()> + Send;

    /// Carries out the retention policy for every tenant, completely.
    fn trim(&self, node: &Self::Node) -> impl Future<Output = ()> + Send;

    /// Copies the durable state as an online backup does; a node may be open.
    fn backup(&self) -> impl Future<Output = Self::Backup> + Send;

    /// Puts a copy back; no node is open.
    fn restore(&self, backup: &Self::Backup) -> impl Future<Output = ()> + Send;

    /// Loses everything of the tenant that was committed after the event `keep`, as storage does that had not written
    /// what it said it had; no node is open. What was stored beside the log may be lost or stay.
    fn cut_tail(&self, tenant: &TenantId, keep: Seq) -> impl Future<Output = ()> + Send;

    /// Makes the node's next commit fail, and answers `true`; an adapter that cannot do so answers `false`, and the
    /// test of it is passed over.
    fn fail_next_commit(&self, _node: &Self::Node) -> bool {
        false
    }
}

/// Runs a test on a runtime of two threads, for 60 seconds at most.
///
/// # Panics
/// Where the test does, or takes longer.
pub fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(60), test).await.unwrap() });
}

/// Writes a `#[test]` for each test of the contract of Log, Store, Directory, Users and AuditLog. The expression gives a fresh
/// [`Harness`](crate::suite::Harness) and is evaluated for each test.
#[macro_export]
macro_rules! contract_tests {
    ($harness:expr) => {
        $crate::contract_tests! { @group $harness, order:
            numbers_run_from_one_without_a_hole,
            each_tenant_counts_for_itself,
            an_event_reads_as_it_was_published,
            a_batch_is_all_or_none,
            concurrent_publishers_have_one_order,
            a_refused_command_disturbs_no_other,
            an_unknown_tenant_is_refused,
        }
        $crate::contract_tests! { @group $harness, commits:
            commits_are_told_in_order_before_the_answer,
            what_is_told_can_be_read,
            what_changes_no_log_is_not_told,
        }
        $crate::contract_tests! { @group $harness, reading:
            exact_channels_prefixes_and_all,
            types_and_categories,
            terminal_events_whatever_their_type,
            an_event_on_several_selected_channels_is_given_once,
            no_pattern_selects_nothing,
            names_are_compared_byte_by_byte,
        }
        $crate::contract_tests! { @group $harness, paging:
            a_page_ends_at_its_events,
            a_page_ends_at_its_bytes_with_one_event_at_least,
            a_page_ends_at_its_examined_rows,
            any_limits_give_the_same_events,
            a_page_without_a_hit_moves_on,
            a_page_at_the_head_stays_there,
        }
        $crate::contract_tests! { @group $harness, cursors:
            every_lineage_counts_in_its_range,
            foreign_cursors_are_unknown,
            ids_stay_the_same_over_twenty_restarts,
            a_restored_backup_knows_only_its_own_history,
            what_a_backup_does_not_hold_never_happened,
            a_lost_tail_is_unknown,
            every_position_given_is_known,
        }
        $crate::contract_tests! { @group $harness, retention:
            a_channel_keeps_its_latest,
            the_old_prefix_goes,
            a_younger_event_keeps_what_follows_it,
            zero_keeps_all,
            an_event_stays_on_the_channel_that_still_holds_it,
            trimmed_names_what_lies_beyond_the_position,
            many_trimmed_channels_are_named_by_their_pattern,
            marks_and_head_survive_a_restart,
            numbers_go_on_when_all_is_gone,
        }
        $crate::contract_tests! { @group $harness, floor:
            the_floor_is_zero_while_marks_are_few,
            too_many_marks_raise_the_floor,
            nothing_retained_lies_under_the_floor,
            the_floor_survives_a_restart,
            lineages_wholly_under_the_floor_are_forgotten,
        }
        $crate::contract_tests! { @group $harness, idempotency:
            a_retry_is_the_same_event,
            another_body_is_a_conflict,
            a_key_belongs_to_its_channel_and_tenant,
            a_retry_after_a_restart_is_the_same_event,
            a_key_outlives_its_event,
            a_key_is_forgotten_in_the_end,
            known_ones_of_a_batch_repeat_and_the_rest_commit,
            a_conflict_in_a_batch_refuses_it_whole,
            a_key_twice_in_a_batch_is_refused,
            a_retry_comes_before_an_ended_channel,
            the_quota_counts_new_keys_of_a_day,
            racing_retries_are_one_event,
        }
        $crate::contract_tests! { @group $harness, terminal:
            nothing_follows_a_terminal_event,
            further_channels_of_a_terminal_event_go_on,
            a_batch_ends_with_its_terminal_event,
            a_refused_batch_ends_nothing,
            an_ended_channel_stays_ended_over_a_restart,
            the_mark_outlives_the_event_then_the_name_is_free,
        }
        $crate::contract_tests! { @group $harness, records:
            versions_count_changes,
            a_decision_sees_the_present_records,
            decisions_do_not_overtake_each_other,
            a_refusal_changes_nothing,
            a_record_and_its_event_commit_together,
            a_deleted_record_begins_anew,
            records_belong_to_their_tenant,
            records_survive_a_restart,
        }
        $crate::contract_tests! { @group $harness, listing:
            records_are_listed_newest_first,
            pages_follow_by_place,
            tags_are_those_of_the_last_change,
            lists_belong_to_their_tenant,
            what_is_read_comes_with_the_head,
            a_held_record_brings_its_tags,
        }
        $crate::contract_tests! { @group $harness, answers:
            a_repeat_is_answered_as_the_first,
            a_known_key_comes_before_the_decision,
            a_key_belongs_to_its_scope_and_tenant,
            any_known_key_is_enough,
            a_refused_command_keeps_no_key,
            an_answer_is_kept_for_a_day,
            answers_count_to_the_quota,
            racing_repeats_are_one_command,
        }
        $crate::contract_tests! { @group $harness, hold:
            the_first_value_passes_at_once,
            the_latest_follows_at_the_windows_end,
            event_and_record_of_a_held_value_commit_together,
            stages_are_held_each_for_itself,
            settling_comes_before_the_next_event,
            a_held_value_survives_a_kill_and_enters_once,
            a_refused_command_holds_nothing,
            a_window_passes_while_nothing_is_held,
            an_ended_channel_takes_no_held_value,
            a_clock_set_back_holds_nothing_longer,
        }
        $crate::contract_tests! { @group $harness, directory:
            the_default_tenant_exists,
            tenants_are_listed_by_name,
            a_new_tenant_has_a_log_of_its_own,
            keys_are_found_by_hash_and_listed,
            a_taken_name_is_refused_until_its_key_is_revoked,
            revoking_twice_changes_nothing,
            a_key_needs_its_tenant,
            a_service_key_gets_other_grants,
            a_key_acts_as_a_user_of_its_tenant,
        }
        $crate::contract_tests! { @group $harness, webhooks:
            secrets_are_listed_by_provider_until_removed,
            a_secret_names_one_tenant,
        }
        $crate::contract_tests! { @group $harness, users:
            users_are_found_by_id_and_email_and_listed,
            an_id_and_an_email_are_taken_over_all_tenants,
            a_new_password_ends_the_cookie_sessions,
            a_disabled_user_is_signed_in_nowhere,
            an_id_of_tokens_is_entered_as_disabled,
        }
        $crate::contract_tests! { @group $harness, cookie_sessions:
            sessions_are_found_by_token_and_listed,
            a_session_needs_its_user,
            a_session_ends_with_its_time,
            sessions_are_ended_one_or_all,
            too_many_sessions_end_the_oldest,
        }
        $crate::contract_tests! { @group $harness, audit:
            rows_read_as_they_were_written,
            queries_narrow_by_each_of_their_parts,
            pages_follow_by_number,
            a_commands_rows_commit_with_it,
            old_rows_are_removed,
            an_age_of_zero_keeps_every_row,
            abandoned_streams_are_closed_once,
            an_abandoned_stream_outlives_the_row_of_its_opening,
        }
        $crate::contract_tests! { @group $harness, health:
            a_fresh_node_is_well,
            a_failed_commit_stops_writing_until_the_next_start,
        }
    };
    (@group $harness:expr, $group:ident: $($name:ident),* $(,)?) => {
        mod $group {
            #[allow(unused_imports)]
            use super::*;

            $(
                #[test]
                fn $name() {
                    $crate::suite::run($crate::suite::$group::$name($harness));
                }
            )*
        }
    };
}

/// Writes a `#[test]` for each test of the contract of a Tail. The expression gives a fresh
/// [`TailHarness`](crate::suite::tail::TailHarness) and is evaluated for each test.
#[macro_export]
macro_rules! tail_tests {
    ($harness:expr) => {
        $crate::contract_tests! { @group $harness, tail:
            an_announcement_reaches_every_other_node,
            the_last_of_many_announcements_arrives,
            every_listener_of_a_node_hears,
            announcing_from_many_tasks_loses_no_tenant,
        }
    };
}
