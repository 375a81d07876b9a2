use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use super::*;
use crate::error::ConfigError;

const PROGRAM: &str = "/usr/bin/shop";

fn resolve_in(
    config: Config,
    environment: &[(&str, &str)],
) -> Result<(Settings, Vec<Warning>), ConfigError> {
    let environment: HashMap<&str, &str> = environment.iter().copied().collect();
    let ask = |name: &str| environment.get(name).map(OsString::from);
    config.resolve(ask, Some(Path::new(PROGRAM)))
}

fn settings(config: Config) -> Settings {
    let (settings, warnings) = resolve_in(config, &[]).unwrap();
    assert_eq!(warnings, []);
    settings
}

fn refused(config: Config) -> String {
    resolve_in(config, &[]).unwrap_err().to_string()
}

fn base() -> Config {
    Config::default()
}

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
const NS: Duration = Duration::from_nanos(1);
const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

/// Just below and just above `least..=most` are refused with the whole sentence, both ends are
/// taken, and `read` finds them in the settings.
fn check_range<T: Copy + PartialEq + std::fmt::Debug>(
    option: &str,
    [below, least, most, above]: [T; 4],
    texts: [&str; 2],
    allowed: &str,
    set: impl Fn(T) -> Config,
    read: impl Fn(&Settings) -> T,
) {
    for (value, text) in [below, above].into_iter().zip(texts) {
        assert_eq!(
            refused(set(value)),
            format!("the option `{option}` cannot be `{text}`: use {allowed}")
        );
    }
    for value in [least, most] {
        assert_eq!(read(&settings(set(value))), value, "{option}");
    }
}

#[test]
fn sizes_are_checked_at_both_ends() {
    check_range(
        "ring_bytes",
        [8 * KIB, 16 * KIB, 64 * MIB, 128 * MIB],
        ["8 KiB", "128 MiB"],
        "a power of two from 16 KiB to 64 MiB",
        |bytes| base().record_bytes(2 * KIB).ring_bytes(bytes),
        |settings| settings.ring_bytes,
    );
    check_range(
        "record_bytes",
        [KIB - 8, KIB, 32 * KIB, 32 * KIB + 8],
        ["1016 bytes", "32776 bytes"],
        "a multiple of 8 from 1 KiB to 32 KiB",
        |bytes| base().record_bytes(bytes),
        |settings| settings.record_bytes,
    );
    check_range(
        "staging_bytes",
        [4 * MIB - 1, 4 * MIB, KIB * MIB, KIB * MIB + 1],
        ["4194303 bytes", "1073741825 bytes"],
        "4 MiB to 1 GiB",
        |bytes| base().staging_bytes(bytes),
        |settings| settings.staging_bytes,
    );
    check_range(
        "max_rings",
        [15, 16, 4096, 4097],
        ["15", "4097"],
        "16 to 4096",
        |rings| base().max_rings(rings),
        |settings| settings.max_rings,
    );
}

#[test]
fn extreme_sizes_are_refused_without_overflow() {
    for bytes in [0, 1, usize::MAX, 1 << 63] {
        assert!(refused(base().ring_bytes(bytes)).contains("`ring_bytes`"));
        assert!(refused(base().record_bytes(bytes)).contains("`record_bytes`"));
        assert!(refused(base().staging_bytes(bytes)).contains("`staging_bytes`"));
        assert!(refused(base().max_rings(bytes)).contains("`max_rings`"));
    }
    assert!(refused(base().publish_every(Duration::MAX)).contains("`publish_every`"));
}

#[test]
fn sizes_of_the_wrong_form_are_refused() {
    assert_eq!(
        refused(base().ring_bytes(192 * KIB)),
        "the option `ring_bytes` cannot be `192 KiB`: use a power of two from 16 KiB to 64 MiB"
    );
    assert_eq!(
        refused(base().record_bytes(1028)),
        "the option `record_bytes` cannot be `1028 bytes`: use a multiple of 8 from 1 KiB to \
         32 KiB"
    );
}

#[test]
fn a_ring_holds_eight_records() {
    let with = |ring, record| base().ring_bytes(ring).record_bytes(record);
    assert_eq!(
        refused(with(128 * KIB, 16 * KIB + 8)),
        "the option `ring_bytes` cannot be `128 KiB` while `record_bytes` is `16392 bytes`: use a \
         ring of at least 8 records, here 256 KiB, or a lower `record_bytes`"
    );
    assert_eq!(settings(with(128 * KIB, 16 * KIB)).ring_bytes, 128 * KIB);
    assert_eq!(settings(with(256 * KIB, 32 * KIB)).ring_bytes, 256 * KIB);
}

#[test]
fn the_reserve_is_two_records_or_a_sixteenth() {
    let reserve =
        |ring, record| settings(base().ring_bytes(ring).record_bytes(record)).reserve_bytes;
    assert_eq!(reserve(128 * KIB, 16 * KIB), 32 * KIB);
    assert_eq!(reserve(512 * KIB, 16 * KIB), 32 * KIB);
    assert_eq!(reserve(MIB, 16 * KIB), 64 * KIB);
    assert_eq!(reserve(64 * MIB, KIB), 4 * MIB);
    assert_eq!(reserve(16 * KIB, 2 * KIB), 4 * KIB);
}

#[test]
fn durations_are_checked_at_both_ends() {
    let second = 1000 * MS;
    check_range(
        "publish_every",
        [MS / 10 - NS, MS / 10, 10 * second, 10 * second + NS],
        ["99.999µs", "10.000000001s"],
        "100µs to 10s",
        |time| base().publish_every(time),
        |settings| settings.publish_every,
    );
    check_range(
        "stall_after",
        [100 * MS - NS, 100 * MS, HOUR, HOUR + NS],
        ["99.999999ms", "3600.000000001s"],
        "100ms to 3600s",
        |time| base().stall_after(time),
        |settings| settings.stall_after,
    );
    check_range(
        "barrier_patience",
        [10 * MS - NS, 10 * MS, HOUR, HOUR + NS],
        ["9.999999ms", "3600.000000001s"],
        "10ms to 3600s",
        |time| base().barrier_patience(time),
        |settings| settings.barrier_patience,
    );
    assert_eq!(settings(base().order_window(Duration::ZERO)).order_window, Duration::ZERO);
    assert_eq!(settings(base().order_window(5 * MS)).order_window, 5 * MS);
    assert_eq!(
        refused(base().order_window(5 * MS + NS)),
        "the option `order_window` cannot be `5.000001ms`: use 0ns to 5ms"
    );
}

#[test]
fn durations_inside_choices_are_checked_at_both_ends() {
    let ends = [MS - NS, MS, HOUR, HOUR + NS];
    let texts = ["999.999µs", "3600.000000001s"];
    let allowed = "1ms to 3600s";
    let sync = |settings: &Settings| match settings.sync {
        SyncPolicy::Every(interval) => interval,
        ref other => panic!("{other:?}"),
    };
    check_range("sync", ends, texts, allowed, |time| base().sync_every(time), sync);
    let policy = |time| base().sync(SyncPolicy::Every(time));
    check_range("sync", ends, texts, allowed, policy, sync);
    let urgent = |settings: &Settings| match settings.urgent_sync {
        UrgentSync::AtMostEvery(interval) => interval,
        ref other => panic!("{other:?}"),
    };
    let policy = |time| base().urgent_sync(UrgentSync::AtMostEvery(time));
    check_range("urgent_sync", ends, texts, allowed, policy, urgent);
    check_range(
        "overflow",
        [1000 * NS - NS, 1000 * NS, HOUR, HOUR + NS],
        ["999ns", "3600.000000001s"],
        "1µs to 3600s",
        |time| base().overflow(Overflow::BlockFor(time)),
        |settings| match settings.overflow {
            Overflow::BlockFor(budget) => budget,
            ref other => panic!("{other:?}"),
        },
    );
}

#[test]
fn every_choice_arrives_in_the_settings() {
    let set = settings(
        base()
            .dir("/var/log/shop")
            .name("till")
            .level(Level::WARN)
            .overflow(Overflow::BlockForever)
            .segment_age(50 * MS)
            .format(Format::Text)
            .clock(Clock::Monotonic)
            .urgent_sync(UrgentSync::Never)
            .sync(SyncPolicy::EachBatch)
            .pin(Pin::Cpu(3))
            .idle(Idle::Spin)
            .output(Output::File)
            .colour(Colour::Always)
            .include(Detail::Thread)
            .include(Detail::Line)
            .include(Detail::Thread)
            .on_open_failure(OpenFailure::Stderr)
            .in_use(InUse::Fail)
            .exit_hook(ExitHook::None)
            .io(Arc::new(OsIo)),
    );
    assert_eq!(set.dir, Path::new("/var/log/shop"));
    assert_eq!(set.name, "till");
    assert_eq!((set.level, set.filter.to_string().as_str()), (Level::WARN, "warn"));
    assert_eq!(set.overflow, Overflow::BlockForever);
    assert_eq!(set.rotation.segment_age, 50 * MS);
    assert_eq!((&set.output, set.format), (&Output::File, Format::Text));
    assert_eq!(set.colour, Colour::Always);
    assert_eq!(set.clock, Some(Clock::Monotonic));
    assert_eq!((set.sync, set.urgent_sync), (SyncPolicy::EachBatch, UrgentSync::Never));
    assert_eq!((set.pin, set.idle), (Pin::Cpu(3), Idle::Spin));
    assert_eq!(set.details, Details::of(&[Detail::Thread, Detail::Line]));
    assert_eq!(set.on_open_failure, OpenFailure::Stderr);
    assert_eq!((set.in_use, set.exit_hook), (InUse::Fail, ExitHook::None));
    assert_eq!(settings(base().include(Detail::File)).details, Details::of(&[Detail::File]));
}

#[test]
fn what_no_preset_sets_has_one_default() {
    for preset in ["prod", "durable", "lowlatency", "container", "dev"] {
        let set = settings(Config::from(preset.parse::<Preset>().unwrap()));
        assert_eq!(set.dir, Path::new("logs"));
        assert_eq!(set.name, "shop");
        assert_eq!((set.record_bytes, set.staging_bytes), (16 * KIB, 64 * MIB));
        assert_eq!((set.max_rings, set.order_window), (256, MS / 20));
        assert_eq!((set.stall_after, set.barrier_patience), (5000 * MS, 10_000 * MS));
        assert_eq!((set.rotation.segment_age, set.clock), (60_000 * MS, None));
        assert_eq!((set.colour, set.details), (Colour::Auto, Details::default()));
        assert_eq!(set.on_open_failure, OpenFailure::Error);
        assert_eq!((set.in_use, set.exit_hook), (InUse::Suffix, ExitHook::Drain));
    }
}

#[test]
fn a_preset_arrives_unless_code_says_otherwise() {
    for preset in ["prod", "durable", "lowlatency", "container", "dev"] {
        let preset: Preset = preset.parse().unwrap();
        let (row, set) = (preset.row(), settings(Config::preset(preset)));
        assert_eq!((set.level, &set.output, set.format), (row.level, &row.output, row.format));
        assert_eq!((set.ring_bytes, set.overflow), (row.ring_bytes, row.overflow));
        assert_eq!((&set.arena, set.pin, set.idle), (&row.arena, row.pin, row.idle));
        assert_eq!((set.publish_every, set.sync), (row.publish_every, row.sync));
        assert_eq!(set.urgent_sync, row.urgent_sync);
        let changed = settings(Config::preset(preset).level(Level::ERROR));
        assert_eq!(changed.filter.to_string(), "error");
    }
    assert_eq!(settings(Config::default()).ring_bytes, MIB);
}

#[test]
fn syncing_each_batch_needs_a_file() {
    for output in [Output::Stdout, Output::Stderr, Output::Null] {
        let text = format!(
            "the option `sync` cannot be `EachBatch` while `output` is `{output:?}`: use \
             `Output::File`, or another `SyncPolicy`"
        );
        let durable = || Config::preset(Preset::Durable).output(output.clone());
        assert_eq!(refused(durable()), text);
        assert_eq!(refused(base().output(output.clone()).sync(SyncPolicy::EachBatch)), text);
        assert_eq!(settings(durable().sync(SyncPolicy::Never)).sync, SyncPolicy::Never);
    }
}

#[test]
fn options_without_effect_are_no_errors() {
    let config = Config::preset(Preset::Container).dir("/nowhere").name("x").sync_every(MS);
    let set = settings(config.urgent_sync(UrgentSync::AtMostEvery(MS)).colour(Colour::Always));
    assert_eq!((&set.output, &set.arena), (&Output::Stdout, &Arena::Anonymous));
}

#[test]
fn the_arena_follows_the_output_unless_code_names_one() {
    let low = || Config::preset(Preset::LowLatency);
    assert_eq!(settings(low()).arena, Arena::SharedMemory);
    let file = Config::preset(Preset::Container).output(Output::File);
    assert_eq!(settings(file).arena, Arena::Anonymous);
    for output in [Output::Stdout, Output::Stderr, Output::Null] {
        assert_eq!(settings(base().output(output.clone())).arena, Arena::Anonymous);
        assert_eq!(settings(low().output(output.clone())).arena, Arena::Anonymous);
        let named = settings(base().output(output.clone()).arena_dir("/run/shop"));
        assert_eq!(named.arena, Arena::Dir(PathBuf::from("/run/shop")));
        let shared = settings(base().output(output.clone()).arena(Arena::SharedMemory));
        assert_eq!(shared.arena, Arena::SharedMemory);
        assert_eq!(
            refused(base().arena(Arena::InLogDir).output(output.clone())),
            format!(
                "the option `arena` cannot be `InLogDir` while `output` is `{output:?}`: use \
                 `Output::File`, or `arena_dir` with a directory of its own"
            )
        );
    }
}

#[test]
fn paths_that_no_system_takes_are_refused() {
    const ALLOWED: &str = "the path of a directory, not empty and without NUL";
    for (path, shown) in [("", ""), ("a\0b", "a\\0b")] {
        assert_eq!(
            refused(base().dir(path)),
            format!("the option `dir` cannot be `{shown}`: use {ALLOWED}")
        );
        assert_eq!(
            refused(base().arena_dir(path)),
            format!("the option `arena_dir` cannot be `{shown}`: use {ALLOWED}")
        );
    }
    for path in [".", "/", "a\nb", "ü"] {
        assert_eq!(settings(base().dir(path)).dir, Path::new(path));
    }
}

#[test]
fn names_keep_the_rule() {
    for name in ["a", "A-z_0.9", "-", "_.", "a..b", &"n".repeat(64)] {
        assert_eq!(settings(base().name(name)).name, name);
    }
    let long = "n".repeat(65);
    for name in ["", ".", "..", ".hidden", "a/b", "../up", "a b", "é", "a\0", "a\n", &long] {
        assert_eq!(
            refused(base().name(name)),
            format!(
                "the option `name` cannot be `{}`: use 1 to 64 letters of A-Z and a-z, digits, \
                 `.`, `_` or `-`, the first no dot",
                name.escape_debug()
            )
        );
    }
}

#[test]
fn a_program_without_a_fit_name_gets_one() {
    let long = format!("/bin/{}", "é".repeat(200));
    let names = [
        ("/usr/bin/shop", "shop"),
        ("shop.exe", "shop"),
        ("/opt/shop-1.2", "shop-1"),
        ("/opt/my shop!", "my_shop_"),
        ("/opt/shop (deleted)", "shop"),
        ("/opt/.shop", "_shop"),
        ("/opt/..shop", "_"),
        ("/opt/ünder/löw", "l_w"),
        ("/", "app"),
        ("", "app"),
        (&long, &"_".repeat(64)),
    ];
    for (executable, name) in names {
        let resolved = base().resolve(|_| None, Some(Path::new(executable)));
        assert_eq!(resolved.unwrap().0.name, name, "{executable}");
    }
    assert_eq!(base().resolve(|_| None, None).unwrap().0.name, "app");
    let named = base().name("till").resolve(|_| None, Some(Path::new("/opt/my shop")));
    assert_eq!(named.unwrap().0.name, "till");
}

/// The filter that holds, and the warnings.
fn filtered(config: Config, variable: &str) -> (String, Vec<Warning>) {
    let (settings, warnings) = resolve_in(config, &[("FASTLOG", variable)]).unwrap();
    (settings.filter.to_string(), warnings)
}

#[test]
fn the_environment_comes_before_code_and_code_before_the_preset() {
    let coded = || base().level(Level::WARN).filter("db=off");
    assert_eq!(settings(base()).filter.to_string(), "info");
    assert_eq!(settings(coded()).filter.to_string(), "warn,db=off");
    assert_eq!(settings(base().filter("error").level(Level::WARN)).filter.to_string(), "error");
    let cases = [
        ("", "warn,db=off"),
        (" \t", "warn,db=off"),
        ("debug", "debug"),
        ("off", "off"),
        ("web=trace", "warn,web=trace"),
        ("error,web=trace", "error,web=trace"),
    ];
    for (variable, filter) in cases {
        assert_eq!(filtered(coded(), variable), (filter.to_owned(), vec![]), "{variable}");
        assert_eq!(filtered(coded().ignore_env(), variable).0, "warn,db=off", "{variable}");
    }
}

#[test]
fn a_bad_environment_is_ignored_with_a_warning() {
    let (filter, warnings) = filtered(base().filter("db=off"), "info,web=loud\u{1b}");
    assert_eq!(filter, "info,db=off");
    let texts: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        ["the environment variable FASTLOG = `info,web=loud\\u{1b}` is ignored: the filter \
          directive `web=loud\\u{1b}` has the unknown level `loud\\u{1b}`: use trace, debug, \
          info, warn, error, critical or off; the filter stays `info,db=off`"]
    );
    assert_eq!(filtered(base().ignore_env(), "web=loud"), ("info".to_owned(), vec![]));
}

#[test]
fn an_environment_that_is_no_text_is_ignored_with_a_warning() {
    let ask = |_: &str| Some(OsString::from_vec(b"debug\xff".to_vec()));
    let (settings, warnings) = base().filter("db=off").resolve(ask, None).unwrap();
    let texts: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        ["the environment variable FASTLOG = `debug\u{fffd}` is ignored: it is not UTF-8; the \
          filter stays `info,db=off`"]
    );
    assert_eq!(settings.filter.to_string(), "info,db=off");
    assert_eq!(settings.colour, Colour::Never, "no text, and not empty");
    let (settings, warnings) = base().ignore_env().resolve(ask, None).unwrap();
    assert_eq!((settings.colour, warnings), (Colour::Auto, vec![]));
}

#[test]
fn what_fits_nothing_is_left_out_with_a_warning() {
    let list = "warn,my-app=debug,drv[span]=info,db=off,http/*=trace";
    let told = |warnings: Vec<Warning>| {
        let left_out = warnings.iter().map(ToString::to_string);
        left_out
            .map(|text| {
                assert!(text.contains("which fits nothing"), "{text}");
                assert!(text.ends_with("; this directive is left out"), "{text}");
                text.split('`').nth(1).unwrap().to_owned()
            })
            .collect::<Vec<_>>()
    };
    let (settings, warnings) = resolve_in(base().filter(list), &[]).unwrap();
    assert_eq!(settings.filter.to_string(), "warn,db=off,my_app=debug");
    assert_eq!(told(warnings), ["drv[span]=info", "http/*=trace"]);
    let (filter, warnings) = filtered(base().filter("a b=info"), list);
    assert_eq!(filter, "warn,db=off,my_app=debug");
    assert_eq!(told(warnings), ["drv[span]=info", "http/*=trace"]);
}

#[test]
fn a_bad_filter_in_code_is_an_error_whatever_the_environment() {
    for environment in [&[][..], &[("FASTLOG", "info")], &[("FASTLOG", "bad")]] {
        let error = resolve_in(base().filter("app"), environment).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the filter directive `app` is no level: use trace, debug, info, warn, error, \
             critical or off, or `target=level`"
        );
    }
}

#[test]
fn no_color_turns_automatic_colours_off_and_nothing_else() {
    let colour =
        |config: Config, value: &str| resolve_in(config, &[("NO_COLOR", value)]).unwrap().0.colour;
    assert_eq!(colour(base(), "1"), Colour::Never);
    assert_eq!(colour(base(), ""), Colour::Auto);
    assert_eq!(colour(base().colour(Colour::Always), "1"), Colour::Always);
    assert_eq!(colour(base().colour(Colour::Never), "1"), Colour::Never);
    assert_eq!(colour(base().ignore_env(), "1"), Colour::Auto);
}

#[test]
fn a_log_that_cannot_be_opened_goes_to_the_standard_error_as_lines() {
    let console = [Output::stdout(), Output::stderr()];
    let config = console.into_iter().fold(Config::preset(Preset::Archive), Config::also);
    let set = settings(config.name("till").publish_every(7 * MS).filter("info,db=off"));
    let degraded = set.to_standard_error();
    assert_eq!((&degraded.output, degraded.format), (&Output::Stderr, Format::Json));
    assert_eq!((&degraded.arena, degraded.sync), (&Arena::Anonymous, SyncPolicy::Never));
    assert_eq!(degraded.urgent_sync, UrgentSync::Never);
    let left: Vec<_> = degraded.also.iter().map(|also| also.console.clone()).collect();
    assert_eq!(left, [Output::Stdout], "each console once");
    assert_eq!((&degraded.name, &degraded.filter), (&set.name, &set.filter));
    assert_eq!((degraded.publish_every, degraded.ring_bytes), (7 * MS, set.ring_bytes));
    assert_eq!(settings(base().format(Format::Text)).to_standard_error().format, Format::Text);
}
