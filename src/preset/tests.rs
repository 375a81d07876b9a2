use super::*;
use crate::config::shown;

/// The columns of the two tables in the documentation of [`Preset`].
fn documented(preset: Preset) -> [String; 2] {
    let row = preset.row();
    [
        format!(
            "/// | `{preset:?}` | {} | `{:?}` | `{:?}` | {} | `{:?}` | `{:?}` |\n",
            row.level,
            row.output,
            row.format,
            shown(&row.ring_bytes),
            row.overflow,
            row.arena
        ),
        format!(
            "/// | `{preset:?}` | `{:?}` | `{:?}` | {:?} | `{:?}` | `{:?}` |\n",
            row.pin, row.idle, row.publish_every, row.sync, row.urgent_sync
        ),
    ]
}

#[test]
fn the_documentation_shows_the_table() {
    let source = include_str!("../preset.rs");
    for preset in PRESETS {
        for line in documented(preset) {
            assert!(source.contains(&line), "missing:\n{line}");
        }
    }
}

#[test]
fn the_table_holds_what_the_design_decided() {
    let short = |preset: Preset| {
        let row = preset.row();
        let collector = (row.pin, row.idle);
        let sync = (row.publish_every.as_millis(), row.sync, row.urgent_sync);
        (
            row.level,
            (row.output, row.format),
            row.ring_bytes,
            row.overflow,
            row.arena,
            collector,
            sync,
        )
    };
    let file = || (Output::File, Format::Json);
    let budget = Overflow::BlockFor(Duration::from_millis(10));
    let parks_pinned = (Pin::Auto, Idle::Park);
    let parks = (Pin::None, Idle::Park);
    let never = (5, SyncPolicy::Never, UrgentSync::Never);
    let second = SyncPolicy::Every(Duration::from_secs(1));
    let urgent = UrgentSync::AtMostEvery(Duration::from_millis(100));
    let paced = SyncPolicy::Every(Duration::from_secs(5));
    let minute = (5, SyncPolicy::Every(Duration::from_secs(60)), UrgentSync::Never);
    let batch = (5, SyncPolicy::EachBatch, UrgentSync::Never);
    let info = Level::INFO;

    assert_eq!(
        short(Preset::Production),
        (info, file(), 1 << 20, budget, Arena::InLogDir, parks_pinned, (5, second, urgent))
    );
    assert_eq!(
        short(Preset::Durable),
        (info, file(), 256 << 10, Overflow::Block, Arena::InLogDir, parks_pinned, batch)
    );
    assert_eq!(
        short(Preset::LowLatency),
        (
            info,
            file(),
            1 << 20,
            Overflow::Drop,
            Arena::SharedMemory,
            (Pin::Auto, Idle::Spin),
            (20, paced, UrgentSync::Never)
        )
    );
    let budget = Overflow::BlockFor(Duration::from_millis(50));
    let binary = (Output::File, Format::Binary);
    assert_eq!(
        short(Preset::Archive),
        (info, binary, 1 << 20, budget, Arena::InLogDir, parks_pinned, minute)
    );
    let budget = Overflow::BlockFor(Duration::from_millis(10));
    let stdout = (Output::Stdout, Format::Json);
    assert_eq!(
        short(Preset::Container),
        (info, stdout, 256 << 10, budget, Arena::Anonymous, parks, never)
    );
    let stderr = (Output::Stderr, Format::Text);
    assert_eq!(
        short(Preset::Development),
        (Level::DEBUG, stderr, 256 << 10, Overflow::Block, Arena::Anonymous, parks, never)
    );
}

#[test]
fn names_and_synonyms_are_read_in_any_case() {
    let names = [
        ("production", Preset::Production),
        ("PROD", Preset::Production),
        ("durable", Preset::Durable),
        ("Hardened", Preset::Durable),
        ("low-latency", Preset::LowLatency),
        ("low_latency", Preset::LowLatency),
        ("LowLatency", Preset::LowLatency),
        ("Archive", Preset::Archive),
        ("container", Preset::Container),
        ("web", Preset::Container),
        ("FastAPI", Preset::Container),
        ("minimal", Preset::Container),
        ("serverless", Preset::Container),
        ("development", Preset::Development),
        (" dev\n", Preset::Development),
    ];
    for (name, preset) in names {
        assert_eq!(name.parse(), Ok(preset), "{name}");
    }
    for preset in PRESETS {
        assert_eq!(preset.to_string().parse(), Ok(preset));
        assert_eq!(format!("{preset:?}").parse(), Ok(preset));
    }
}

#[test]
fn an_unknown_name_is_told_the_valid_ones() {
    for name in ["archives", "", "-", "dev elopment", "prod\0"] {
        assert_eq!(
            name.parse::<Preset>().unwrap_err().to_string(),
            format!(
                "the option `preset` cannot be `{}`: use one of production, durable, \
                 low-latency, archive, container, development",
                name.escape_debug()
            )
        );
    }
}
