//! Hostile input: abuse cases by name. Each test asserts the code and its text, that nothing was lost and that others
//! are served meanwhile.
//!
//! | case | what is tried | test |
//! |---|---|---|
//! | 1 | a grant is revoked while records stream, ten thousand of them on their way in at any moment | `revoked.rs`: `nothing_follows_a_revoke` |
//! | 2 | a grant expires between two reads; one that has expired before it is made | `revoked.rs`: `a_grant_ends_at_its_time_by_the_stores_clock` |
//! | 3 | schema bombs: recursion, depth, fields, symbols, names, size | `connectors/src/avro/container/tests/hostile.rs`: `case_03_a_schema_bomb_is_refused_with_the_path_of_the_node` |
//! | 3 | what reading a schema takes, counted | `catalog/src/avro/tests/bombs.rs`: `walks_within_walks_are_counted` |
//! | 3 | a small schema that is large once its named types are counted | `connectors/src/avro/container/tests/hostile.rs`: `case_03_named_types_used_again_count_again` |
//! | 3 | texts that are no schema | `connectors/src/avro/container/tests/hostile.rs`: `case_03_what_is_no_schema_is_refused` |
//! | 3, 4, 5 | container files that are bombs, the server's memory measured | `containers.rs`: `bombs_are_refused_by_name_in_bounded_memory` |
//! | 4 | what bombs take of others' time, compared with ordinary files | `containers.rs`: `case_04_bombs_hold_others_up_no_longer_than_ordinary_files` |
//! | 4 | counts, negative counts, lengths, `fixed` of 2^63-1, varints | `connectors/src/avro/container/tests/hostile.rs`: `case_04_counts_and_lengths_are_not_believed` |
//! | 4 | a hundred million fields of no bytes | `connectors/src/avro/container/tests/hostile.rs`: `case_04_fields_of_no_bytes_cost_nothing_however_often` |
//! | 4 | records of no bytes | `connectors/src/avro/container/tests/hostile.rs`: `case_04_records_of_no_bytes_are_counted` |
//! | 5 | gzip and zstd bodies | `src/http/body/tests.rs`: `bombs_are_stopped_while_they_open` |
//! | 5 | a container file's deflated block | `connectors/src/avro/container/tests/hostile.rs`: `case_05_a_block_inflates_within_bounds` |
//! | 5 | its memory | `connectors/src/avro/container/tests/hostile.rs`: `case_05_no_more_than_a_record_and_a_piece_is_in_memory` |
//! | 5 | files of a connector: no text, a record without end, a container that is a bomb or damaged, others beside them | `bad_files.rs`: `one_bad_file_costs_no_other` |
//! | 5 | the same under `quarantine` | `connectors/src/runner/tests.rs`: `case_05_a_file_that_is_no_text_costs_no_other` |
//! | 5 | the same for a record without end | `connectors/src/runner/tests.rs`: `case_05_a_record_without_end_costs_no_other_file` |
//! | 6 | a record, batch or body one byte beyond its limit, of known and unknown length; the size is named | `sizes.rs`: `the_limit_is_taken_and_one_byte_more_is_refused` |
//! | 6 | a head, an address, a document beyond its limit | `sizes.rs`: `heads_addresses_and_documents_have_limits_of_their_own` |
//! | 7 | malformed headers | `names.rs`: `a_header_that_is_malformed_is_named_and_does_nothing` |
//! | 7 | line ends and zeros within a header | `names.rs`: `line_ends_and_zeros_in_a_header_reach_no_handler` |
//! | 7 | addresses that a proxy or a caller claims; where auditors find the true one | `crowds.rs`: `behind_a_proxy_the_last_address_counts_and_is_logged` |
//! | 8 | codes and names that would be topics, paths or other names | `names.rs`: `a_code_never_becomes_a_topic` |
//! | 9 | paths that climb, absolute ones, links, of another agency; each leaves an event | `connectors.rs`: `a_file_connector_reads_nothing_outside_its_folder` |
//! | 9 | a link put in a file's place between check and open | `connectors/src/root.rs`: `a_link_put_in_its_place_meanwhile_leads_nowhere` |
//! | 9 | the same for the database of a sink | `connectors/src/sink/sql/opened.rs`: `a_link_put_in_its_place_meanwhile_leads_nowhere` |
//! | 9 | pipes and sockets where files should be | `connectors.rs`: `what_is_no_file_is_refused_and_holds_up_nobody` |
//! | 9 | a pipe put in a file's place between check and open | `connectors/src/root.rs`: `a_pipe_put_in_its_place_meanwhile_is_waited_for_by_nobody` |
//! | 11 | names and values that break out of a statement, SQLite | `statements.rs`: `values_and_names_stay_what_they_are_in_sqlite` |
//! | 11 | the same, PostgreSQL; a database that nobody allowed | `statements.rs`: `values_and_names_stay_what_they_are_in_postgresql` |
//! | 12 | an idempotency key with another body, of another account, after a refusal, after its time | `replays.rs`: `of_one_key_one_batch_counts` |
//! | 12 | one key many times at once | `replays.rs`: `of_requests_at_once_with_one_key_one_counts` |
//! | 13 | store time jumps by minutes and days, forth and back, and drifts | `clocks.rs`: `a_jump_of_store_time_is_reported_and_ends_nothing` |
//! | 13 | what ends at a time, whatever a client believes | `clocks.rs`: `what_ends_ends_by_store_time` |
//! | 13 | a connector's machine is days wrong, and swings | `tests/integration/connector_run/clock.rs`: `a_clock_that_is_wrong_decides_nothing` |
//! | 13 | the clock of the server's machine | `tests/integration/house_rules.rs`: `case_13_a_server_looks_at_no_clock_but_the_stores` |
//! | 14 | wrong, unknown, malformed and revoked keys | `credentials.rs`: `whatever_is_wrong_with_a_key_the_answer_is_the_same` |
//! | 14 | the steps that each of them costs | `catalog/src/api_key/tests.rs`: `every_refusal_costs_the_same_steps` |
//! | 14 | the time that each of them takes, for whoever measures it (`bench keys`) | `tests/integration/cli/operator.rs`: `the_bench_counts_what_is_visible_and_reconcile_finds_store_and_events_agree` |
//! | 14 | guesses at one key and from one address, and the right key among them | `credentials.rs`: `guesses_are_limited_and_the_right_key_is_let_in` |
//! | 14 | how many guesses of whom are counted, and for how long | `src/http/guesses.rs`: `an_address_and_an_id_are_beyond_their_limits_for_a_while` |
//! | 16 | the broker stands still, is killed, comes back | `tests/integration/faults/outages.rs`: `the_broker_stands_still_and_is_killed` |
//! | 16 | of three brokers one is paused, two are away, one is parted from the others, answers are lost | `tests/integration/faults/parted.rs`: `brokers_are_paused_killed_and_parted` |
//! | 16 | the leader of a partition is lost, another follows | `connectors/src/log/kafka/tests/faults.rs`: `case_16_a_lost_leader_is_waited_for_and_the_next_one_written_to` |
//! | 16 | fewer replicas in sync than a topic wants, until the deadline | `connectors/src/log/kafka/tests/faults.rs`: `case_16_too_few_replicas_in_sync_acknowledge_nothing` |
//! | 17 | the database is cut off under readers and publishers, silent, silent for longer than the lease | `tests/integration/faults/outages.rs`: `the_database_is_cut_off_and_falls_silent` |
//! | 17 | PostgreSQL is killed and ended at once under publishers and readers, and comes back | `tests/integration/faults/database.rs`: `the_database_is_killed_under_publishers_and_readers` |
//! | 18 | the disk of the embedded engines is full | `tests/integration/faults/full_disk.rs`: `nothing_is_lost_while_the_disk_is_full` |
//! | 18 | it stays full for longer than the lease | `tests/integration/faults/full_disk.rs`: `a_disk_that_stays_full_ends_the_server_and_a_restart_loses_nothing` |
//! | 19 | kill -9 at named places | `tests/integration/faults/kills.rs`: `killed_at` |
//! | 19 | kill -9 at any moment, fifty times | `tests/integration/faults/random.rs`: `killed_again_and_again` |
//! | 20 | a consumer dies before it acknowledges, and acknowledges twice | `replays.rs`: `what_is_not_acknowledged_comes_again_as_the_same_record` |
//! | 21 | readers come and go, two on one subscription, acknowledge late and twice | `restless.rs`: `readers_come_and_go_and_nothing_is_skipped` |
//! | 21 | one reads the same again and again: how many events it writes | `restless.rs`: `who_reads_the_same_again_writes_two_events_a_second_after_a_few` |
//! | 21 | one reads on, by polls and by stream: how many events it writes | `restless.rs`: `who_reads_on_writes_two_events_a_second` |
//! | 22 | poison records: undecodable, not UTF-8, NaN, a floating key | `connectors/src/avro/container/tests/hostile.rs`: `case_22_a_poison_record_is_set_aside_or_ends_the_file_by_name` |
//! | 22 | the same as a connector meets it: told, and no other file waits for it | `bad_files.rs`: `one_bad_file_costs_no_other` |
//! | 22 | the same for a record that does not fit | `connectors/src/runner/tests.rs`: `case_22_a_record_that_does_not_fit_costs_no_other_file` |
//! | 22 | the same for a header | `connectors/src/runner/tests.rs`: `case_22_a_header_that_does_not_fit_costs_no_other_file` |
//! | 22 | a bad record is named by its line, or set aside | `connectors/src/runner/tests.rs`: `a_bad_record_is_named_by_file_and_line_or_set_aside` |
//! | 22 | set aside: told, seen as it came, published after all | `connectors.rs`: `what_is_set_aside_is_told_and_can_be_published_after_all` |
//! | 22 | a logical type that is another | `connectors/src/avro/container/tests/resolution.rs`: `logical_types_mean_what_they_say` |
//! | 23 | a consumer reads a byte a second, or nothing | `tests/integration/streams.rs`: `a_slow_consumer_is_disconnected_and_holds_up_nobody` |
//! | 23 | it stops reading with an open window | `connectors/src/gate/tests/streaming.rs`: `a_stream_that_nobody_reads_holds_up_nobody` |
//! | 24 | slow bodies of one account on every connection | `crowds.rs`: `slow_bodies_of_one_account_leave_room_for_others` |
//! | 24 | calls of one account that the database keeps waiting | `crowds.rs`: `calls_that_the_database_keeps_waiting_leave_others_its_connections` |
//! | 24 | every call, of an agency that has one of the store's connections | `places.rs`: `no_call_waits_for_a_place_that_it_holds_itself` |
//! | 24 | one address opens connections and is silent | `crowds.rs`: `one_address_does_not_hold_every_connection` |
//! | 24 | a body that arrives drop by drop | `src/http/body/tests.rs`: `a_body_that_never_pauses_for_long_is_given_up_all_the_same` |
//! | 24 | a thousand readers that wait: memory, threads, consumers and audit events each | `readers.rs`: `a_thousand_wait_at_little_cost` |
//! | 24 | ten thousand requests at once, four times: others are served at once, memory levels off | `floods.rs`: `ten_thousand_requests_at_once_cost_no_memory` |
//! | 24 | heads that never end | `floods.rs`: `heads_that_never_end_are_given_up` |
//! | 24 | more bytes than may be in flight | `floods.rs`: `a_publisher_faster_than_the_log_is_held_back` |
//! | 25 | a hundred keys of one agency; dear calls of two accounts | `rates.rs`: `many_keys_of_one_agency_share_its_limits` |
//! | 25 | one key that asks and publishes as much as it can | `rates.rs`: `a_key_has_limits_of_its_own` |
//! | 25 | keys without end | `credentials.rs`: `an_account_has_so_many_keys_and_no_more` |
//! | 26 | ids of other agencies, guessed or known | `tenants.rs`: `a_guessed_id_tells_nothing_and_opens_nothing` |
//! | 27 | a key wider than its account, or than the key that makes it | `tenants.rs`: `a_key_is_never_wider_than_its_account` |
//! | 30 | a revision that would drop a mask or break a reader | `masks.rs`: `a_revision_breaks_no_reader_and_loosens_no_mask` |
//! | 30 | a renamed item that would lose its grade, mask, unit or values | `catalog/src/evolution/tests/names.rs`: `case_30_an_alias_loosens_nothing` |
//! | 30, 31 | another name without the mask, a default in the clear, over HTTP | `masks.rs`: `neither_an_alias_nor_a_default_is_a_way_around_a_mask` |
//! | 31 | masks on defaults and on what an alias finds, in lines and container files | `connectors/src/avro/tests/versions.rs`: `case_31_a_mask_lies_on_defaults_and_on_what_an_alias_finds` |
//! | 31 | a grant on one name used for the other | `connectors/src/gate/tests/versions.rs`: `case_31_what_was_not_granted_comes_by_no_alias_and_no_default` |
//! | 31, 40 | ways around a mask; what a mask does not recognise | `masks.rs`: `what_is_masked_leaves_by_no_other_way` |
//! | 33, 37 | values of records, keys and passwords in logs, metrics, errors, events, panics, the process | `leaks.rs`: `nothing_of_a_record_or_a_secret_shows` |
//! | 34 | who asks agrees with itself | `tenants.rs`: `nobody_agrees_with_itself` |
//! | 37 | what a dying server holds in memory | `leaks.rs`: `a_server_that_dies_leaves_no_core_dump` |
//! | 40 | every mask on any text | `catalog/src/mask/tests.rs`: `a_masked_text_is_empty_or_hides_something` |
//!
//! Rows stand in the order of their numbers. A case may have several; a test that stands elsewhere is named with its
//! path from the project's root.
//!
//! Case 16 is met by real brokers: one that stands still and dies, and three that are lost in part or parted from each
//! other. What a leader says only at a certain moment is asked of librdkafka's mock cluster.

mod bad_files;
mod clocks;
mod connectors;
mod containers;
mod credentials;
mod crowds;
#[cfg(feature = "faults")]
mod floods;
#[cfg(feature = "faults")]
mod leaks;
mod masks;
mod names;
mod places;
#[cfg(feature = "faults")]
mod rates;
#[cfg(feature = "faults")]
mod readers;
mod replays;
mod restless;
mod revoked;
mod scene;
mod sizes;
mod statements;
mod tenants;

#[cfg(feature = "faults")]
pub use scene::refused;

use std::collections::BTreeSet;
use std::fs;

use crate::shell::project;

const FOLDER: &str = "tests/integration/hostile";

/// The cases that concern what exists: trust.md 3.2 and 3.3 without what comes later (15 and 36 with the sealed log, 10
/// with HTTP connectors, 28, 29 and 38 with tokens and TLS of our own, 32, 35 and 39 with alarms, backups and releases),
/// and 18, which was there before.
const CASES: [u8; 31] = [
    1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 30, 31, 33,
    34, 37, 40,
];

/// A row of the table above: its cases, the file of its test, and the test.
fn rows() -> Vec<(Vec<u8>, String, String)> {
    let page = fs::read_to_string(project(FOLDER).join("mod.rs")).expect("this file");
    let rows = page.lines().filter_map(|line| line.strip_prefix("//! | "));
    let rows = rows.filter(|row| row.starts_with(|first: char| first.is_ascii_digit()));
    let named = |row: &str| {
        let cases = row.split('|').next().expect("a first cell").split(',');
        let cases = cases.map(|case| case.trim().parse().expect("a number")).collect();
        let mut words = row.rsplit('|').nth(1).expect("a last cell").split('`').skip(1).step_by(2);
        let file = words.next().expect("a file").to_owned();
        (cases, file, words.next().expect("a test").to_owned())
    };
    rows.map(named).collect()
}

#[test]
fn every_case_has_its_row() {
    let tested: BTreeSet<u8> = rows().into_iter().flat_map(|(cases, ..)| cases).collect();
    assert_eq!(tested, BTreeSet::from(CASES));
}

#[test]
fn every_row_names_a_test_that_is_there() {
    for (_, file, test) in rows() {
        let path = if file.contains('/') && project(&file).exists() {
            project(&file)
        } else {
            project(FOLDER).join(&file)
        };
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(text.contains(&format!("fn {test}(")), "{test} is not in {file}");
    }
}
