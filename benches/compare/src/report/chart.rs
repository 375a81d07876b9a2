//! A chart of named rows on one axis, as SVG. On a white ground of its own, so that it can be read
//! on a dark page; fastlog's rows in a colour that no other has.

use std::error::Error;
use std::ops::Range;
use std::path::Path;

use plotters::coord::Shift;
use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::figures::round;
use crate::peers::Kind;

const WIDTH: u32 = 960;
const TITLE_HEIGHT: u32 = 64;
const AXIS_HEIGHT: u32 = 44;
const NAMES_WIDTH: u32 = 200;
const MARGIN: u32 = 24;
/// Of a row of dots, of each of its bars, and between rows of bars.
const DOTS_HEIGHT: u32 = 24;
const BAR_HEIGHT: u32 = 14;
const BAR_GAP: u32 = 7;

// The backend writes these divided by 1.24 as pixels.
const FONT: &str = "sans-serif";
const TITLE_SIZE: u32 = 20;
const TEXT_SIZE: u32 = 16;
const VALUE_SIZE: u32 = 14;

const INK: RGBColor = RGBColor(0x24, 0x29, 0x2f);
const GRID: RGBColor = RGBColor(0xe1, 0xe4, 0xe8);
const FASTLOG: RGBColor = RGBColor(0xd9, 0x48, 0x0f);
const BASELINE: RGBColor = RGBColor(0x8a, 0x8f, 0x98);
const OTHER: RGBColor = RGBColor(0x33, 0x66, 0xa8);
/// How much of its colour each further series of a row keeps.
const FADING: [f64; 4] = [1.0, 0.65, 0.42, 0.24];

/// The axis leaves room for the value beside the longest bar: as a factor, and as a share.
const LOG_ROOM: f64 = 2.2;
const LINEAR_ROOM: f64 = 0.12;

/// How values lie on the axis.
#[derive(Clone, Copy)]
pub enum Scale {
    Linear,
    /// For values that a linear axis would press into a corner.
    Log,
}

/// How a value is drawn.
#[derive(Clone, Copy)]
pub enum Mark {
    /// A bar for each series, with its value.
    Bar,
    /// A dot for each series on one line; the value of the first.
    Dot,
}

/// What is drawn, from the top down.
pub struct Chart {
    pub title: &'static str,
    pub axis: &'static str,
    pub scale: Scale,
    pub mark: Mark,
    pub series: &'static [&'static str],
    pub value: fn(f64) -> String,
    pub rows: Vec<ChartRow>,
}

/// A name and a value for each series.
pub struct ChartRow {
    pub name: &'static str,
    pub kind: Kind,
    pub values: Vec<Option<f64>>,
}

type Drawn = Result<(), Box<dyn Error>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
/// Where a value lies in a row: pixels from the left, and from the top.
type Place<'a> = &'a dyn Fn(f64) -> i32;

impl Chart {
    pub fn draw(&self, path: &Path) -> Drawn {
        let height = TITLE_HEIGHT + self.rows.len() as u32 * self.row_height() + AXIS_HEIGHT;
        let area = SVGBackend::new(path, (WIDTH, height)).into_drawing_area();
        area.fill(&WHITE)?;
        let title = (FONT, TITLE_SIZE).into_font().color(&INK);
        area.draw(&Text::new(self.title, (MARGIN as i32, 12), title))?;
        self.draw_legend(&area)?;
        match self.scale {
            Scale::Linear => self.draw_rows(&area, self.range())?,
            Scale::Log => self.draw_rows(&area, self.range().log_scale())?,
        }
        area.present()?;
        Ok(())
    }

    fn row_height(&self) -> u32 {
        match self.mark {
            Mark::Bar => BAR_HEIGHT * self.series.len() as u32 + BAR_GAP,
            Mark::Dot => DOTS_HEIGHT,
        }
    }

    /// From the least value, or zero, to beyond the greatest.
    fn range(&self) -> Range<f64> {
        let values = || self.rows.iter().flat_map(|row| &row.values).flatten().copied();
        let greatest = values().fold(f64::MIN_POSITIVE, f64::max);
        match self.scale {
            Scale::Linear => 0.0..greatest * (1.0 + LINEAR_ROOM),
            Scale::Log => {
                let least = values().filter(|value| *value > 0.0).fold(greatest, f64::min);
                10_f64.powf((least * 0.9).log10().floor())..greatest * LOG_ROOM
            }
        }
    }

    /// The series' names, when there are several.
    fn draw_legend(&self, area: &Area) -> Drawn {
        if self.series.len() < 2 {
            return Ok(());
        }
        let mut x = NAMES_WIDTH as i32;
        for (series, name) in self.series.iter().enumerate() {
            area.draw(&Circle::new((x, 48), 5, shade(Kind::Other, series).filled()))?;
            let style = text(TEXT_SIZE, &INK, HPos::Left);
            area.draw(&Text::new(*name, (x + 10, 48), style))?;
            x += 34 + 8 * name.len() as i32;
        }
        Ok(())
    }

    fn draw_rows<X>(&self, area: &Area, axis: X) -> Drawn
    where
        X: AsRangedCoord<Value = f64>,
        X::CoordDescType: ValueFormatter<f64>,
    {
        let below = area.margin(TITLE_HEIGHT, 0, 0, MARGIN);
        let rows: Range<f64> = 0.0..self.rows.len() as f64;
        let mut chart = ChartBuilder::on(&below)
            .set_label_area_size(LabelAreaPosition::Left, NAMES_WIDTH)
            .set_label_area_size(LabelAreaPosition::Bottom, AXIS_HEIGHT)
            .build_cartesian_2d::<X, Range<f64>>(axis, rows)?;
        self.draw_axis(&mut chart)?;
        let least = self.range().start;
        for (at, row) in self.rows.iter().enumerate() {
            let height = self.row_height();
            let middle = (TITLE_HEIGHT + at as u32 * height + height / 2) as i32;
            let place = |value: f64| chart.backend_coord(&(value.max(least), 0.0)).0;
            self.draw_name(area, row, middle)?;
            match self.mark {
                Mark::Bar => self.draw_bars(area, row, middle, &place)?,
                Mark::Dot => self.draw_dots(area, row, middle, &place)?,
            }
        }
        Ok(())
    }

    fn draw_axis<'a, X>(
        &self,
        chart: &mut ChartContext<'a, SVGBackend, Cartesian2d<X, RangedCoordf64>>,
    ) -> Drawn
    where
        X: Ranged<ValueType = f64> + ValueFormatter<f64>,
    {
        chart
            .configure_mesh()
            .disable_y_mesh()
            .disable_y_axis()
            .y_labels(0)
            .bold_line_style(GRID)
            .light_line_style(TRANSPARENT)
            .axis_style(INK)
            .label_style((FONT, TEXT_SIZE).into_font().color(&INK))
            .axis_desc_style((FONT, TEXT_SIZE).into_font().color(&INK))
            .x_desc(self.axis)
            .x_label_formatter(&|value| round(&(self.value)(*value)).to_owned())
            .draw()?;
        Ok(())
    }

    fn draw_name(&self, area: &Area, row: &ChartRow, middle: i32) -> Drawn {
        let colour = if row.kind == Kind::Fastlog { FASTLOG } else { INK };
        let at = (NAMES_WIDTH as i32 - 10, middle);
        area.draw(&Text::new(row.name, at, text(TEXT_SIZE, &colour, HPos::Right)))?;
        Ok(())
    }

    fn draw_bars(&self, area: &Area, row: &ChartRow, middle: i32, place: Place) -> Drawn {
        let height = BAR_HEIGHT as i32;
        let top = middle - height * row.values.len() as i32 / 2;
        for (series, value) in row.values.iter().enumerate() {
            let Some(value) = *value else { continue };
            let (left, right) = (place(self.range().start), place(value));
            let top = top + series as i32 * height;
            let bar = [(left, top), (right, top + height - 1)];
            area.draw(&Rectangle::new(bar, shade(row.kind, series).filled()))?;
            self.draw_value(area, value, (right + 5, top + height / 2))?;
        }
        Ok(())
    }

    fn draw_dots(&self, area: &Area, row: &ChartRow, middle: i32, place: Place) -> Drawn {
        let places: Vec<_> = row.values.iter().flatten().copied().map(place).collect();
        let (Some(left), Some(right)) = (places.iter().min(), places.iter().max()) else {
            return Ok(());
        };
        let line = vec![(*left, middle), (*right, middle)];
        area.draw(&PathElement::new(line, shade(row.kind, FADING.len() - 1).stroke_width(2)))?;
        // The first series is drawn last, over the others.
        for (series, value) in row.values.iter().enumerate().rev() {
            let Some(value) = *value else { continue };
            let dot = Circle::new((place(value), middle), 5, shade(row.kind, series).filled());
            area.draw(&dot)?;
        }
        match row.values.first() {
            Some(Some(first)) => self.draw_value(area, *first, (right + 10, middle)),
            _ => Ok(()),
        }
    }

    fn draw_value(&self, area: &Area, value: f64, at: (i32, i32)) -> Drawn {
        let style = text(VALUE_SIZE, &INK, HPos::Left);
        area.draw(&Text::new((self.value)(value), at, style))?;
        Ok(())
    }
}

/// The colour of a row's series, opaque: lines behind it shall not show through.
fn shade(kind: Kind, series: usize) -> RGBColor {
    let RGBColor(red, green, blue) = match kind {
        Kind::Fastlog => FASTLOG,
        Kind::Baseline => BASELINE,
        Kind::Other => OTHER,
    };
    let kept = FADING[series.min(FADING.len() - 1)];
    let mix = |part: u8| (f64::from(part) * kept + 255.0 * (1.0 - kept)).round() as u8;
    RGBColor(mix(red), mix(green), mix(blue))
}

fn text(size: u32, colour: &RGBColor, horizontal: HPos) -> TextStyle<'static> {
    (FONT, size).into_font().color(colour).pos(Pos::new(horizontal, VPos::Center))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(scale: Scale, mark: Mark) -> Chart {
        let row =
            |name, kind, values: [Option<f64>; 2]| ChartRow { name, kind, values: values.into() };
        Chart {
            title: "Title",
            axis: "ns",
            scale,
            mark,
            series: &["first", "second"],
            value: |value| format!("{value}"),
            rows: vec![
                row("fastlog", Kind::Fastlog, [Some(12.0), Some(40.0)]),
                row("slow", Kind::Other, [Some(900.0), None]),
                row("failed", Kind::Other, [None, None]),
            ],
        }
    }

    #[test]
    fn every_row_is_named_and_every_value_lies_on_the_chart() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("chart.svg");
        for (scale, mark, values) in [
            (Scale::Log, Mark::Bar, 3),
            (Scale::Linear, Mark::Bar, 3),
            (Scale::Log, Mark::Dot, 2),
            (Scale::Linear, Mark::Dot, 2),
        ] {
            chart(scale, mark).draw(&path).expect("a chart");
            let svg = std::fs::read_to_string(&path).expect("a file");
            for name in ["fastlog", "slow", "failed", "first", "second"] {
                assert!(svg.contains(&format!("\n{name}\n")), "{name} is missing in\n{svg}");
            }
            // Title, the legend's two names and the values are all that begins at its place.
            assert_eq!(svg.matches("\"start\"").count(), 3 + values, "{svg}");
        }
    }

    #[test]
    fn a_log_axis_begins_at_a_power_of_ten() {
        let range = chart(Scale::Log, Mark::Bar).range();
        assert_eq!((range.start, range.end), (10.0, 900.0 * LOG_ROOM));
    }

    #[test]
    fn shades_fade_to_white() {
        let reds: Vec<_> = (0..FADING.len()).map(|series| shade(Kind::Other, series).0).collect();
        assert!(reds.is_sorted() && reds[0] == OTHER.0 && reds[3] < 255, "{reds:?}");
    }
}
