//! Plots of the figures.

use std::{error::Error, ops::Range, path::Path};

use plotters::{
    chart::{ChartContext, SeriesLabelPosition},
    coord::{CoordTranslate, Shift, ranged1d::ValueFormatter, types::RangedCoordf64},
    prelude::{
        Cartesian2d, ChartBuilder, Circle, Color, DrawingArea, IntoDrawingArea, IntoLogRange,
        LineSeries, RGBColor, Ranged, Rectangle, SVGBackend, WHITE,
    },
};

use crate::report::{CALL_NAMES, Growth, Measured};

type Drawn = Result<(), Box<dyn Error>>;

const SIZE: (u32, u32) = (860, 380);
const FONT: (&str, u32) = ("sans-serif", 15);
const TITLE: (&str, u32) = ("sans-serif", 19);
/// A palette for colour-blind readers (Okabe and Ito).
const COLOURS: [RGBColor; 4] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
];
/// Width of a group of bars; the rest is space on both sides.
const WIDTH: f64 = 0.8;
/// Space above the highest value, for the legend.
const HEADROOM: f64 = 1.35;

/// Draws all plots into a directory.
pub(crate) fn draw(measured: &Measured, directory: &Path) -> Drawn {
    std::fs::create_dir_all(directory)?;
    throughput(measured).draw(&directory.join("throughput.svg"))?;
    steady(measured).draw(&directory.join("steady.svg"))?;
    growth(measured, &directory.join("growth.svg"))
}

fn throughput(measured: &Measured) -> Bars {
    let limit = &measured.closed[0].1;
    let ratios = measured.closed.iter().skip(1).map(|(name, figures)| {
        let ratios = figures.iter().zip(limit).map(|(own, limit)| own.of(limit));
        (*name, ratios.collect())
    });
    Bars {
        title: "Requests a second, of the pass-through's",
        groups: CALL_NAMES.to_vec(),
        series: ratios.collect(),
    }
}

fn steady(measured: &Measured) -> Bars {
    let waits = measured.steady.iter().map(|(name, [figure])| {
        let waits = vec![figure.p50, figure.p99, figure.p999];
        (*name, waits)
    });
    Bars {
        title: "Latency of a send at 500 a second, in ms",
        groups: vec!["p50", "p99", "p99.9"],
        series: waits.collect(),
    }
}

/// A grouped bar chart.
struct Bars {
    title: &'static str,
    groups: Vec<&'static str>,
    /// A name, and its value in each group.
    series: Vec<(&'static str, Vec<f64>)>,
}

impl Bars {
    fn draw(&self, path: &Path) -> Drawn {
        let sheet = sheet(path, SIZE)?;
        let values = self.series.iter().flat_map(|(_, values)| values);
        let most = values.copied().fold(0.0, f64::max) * HEADROOM;
        let mut chart = ChartBuilder::on(&sheet)
            .caption(self.title, TITLE)
            .margin(16)
            .x_label_area_size(32)
            .y_label_area_size(56)
            .build_cartesian_2d(0.0..self.groups.len() as f64, 0.0..most)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(WHITE)
            .label_style(FONT)
            .x_labels(2 * self.groups.len() + 1)
            .x_label_formatter(&|place| self.group_at(*place))
            .draw()?;
        let width = WIDTH / self.series.len() as f64;
        for (index, (name, values)) in self.series.iter().enumerate() {
            let colour = COLOURS[index % COLOURS.len()];
            let bars = values.iter().enumerate().map(|(group, value)| {
                let left = group as f64 + (1.0 - WIDTH) / 2.0 + width * index as f64;
                Rectangle::new([(left, 0.0), (left + width, *value)], colour.filled())
            });
            chart.draw_series(bars)?.label(*name).legend(key(colour));
        }
        legend(&mut chart)?;
        sheet.present()?;
        Ok(())
    }

    /// The label of a position: the group's name below its middle, nothing elsewhere.
    fn group_at(&self, place: f64) -> String {
        let names = self.groups.iter().enumerate();
        let mut here = names.filter(|(group, _)| (*group as f64 + 0.5 - place).abs() < 0.1);
        here.next().map_or("", |(_, name)| name).to_owned()
    }
}

fn growth(measured: &Measured, path: &Path) -> Drawn {
    let mut series = Vec::new();
    for (name, figures) in &measured.grown {
        let points = |cpu: fn(&Growth) -> f64| {
            let points = figures.iter().map(move |it| (it.live as f64, cpu(it)));
            points.collect::<Vec<_>>()
        };
        series.push((format!("{name}, send"), points(|it| it.send.whole_cpu())));
        series.push((format!("{name}, check"), points(|it| it.check.whole_cpu())));
    }
    let sheet = sheet(path, SIZE)?;
    let (across, up) = bounds(&series);
    let chart = chart("Processor time of a request, in µs", &sheet)
        .build_cartesian_2d(across.log_scale(), up)?;
    draw_lines(chart, &series, "live sessions")?;
    sheet.present()?;
    Ok(())
}

/// A line's name and its points.
pub(crate) type Series = (String, Vec<(f64, f64)>);

/// Draws line charts below each other, with a common x axis.
pub(crate) fn lines(charts: &[(&str, Vec<Series>)], across: &str, path: &Path) -> Drawn {
    let rows = u32::try_from(charts.len())?;
    let sheet = sheet(path, (SIZE.0, SIZE.1 * rows))?;
    for (area, (title, series)) in sheet.split_evenly((charts.len(), 1)).iter().zip(charts) {
        let (along, up) = bounds(series);
        let chart = chart(title, area).build_cartesian_2d(along, up)?;
        draw_lines(chart, series, across)?;
    }
    sheet.present()?;
    Ok(())
}

/// The range of x values, and of y values from zero.
fn bounds(series: &[Series]) -> (Range<f64>, Range<f64>) {
    let all = || series.iter().flat_map(|(_, points)| points.iter().copied());
    let (least, most) = all().fold((f64::INFINITY, 0.0_f64), |(least, most), (across, _)| {
        (least.min(across), most.max(across))
    });
    let highest = all().map(|(_, up)| up).fold(0.0, f64::max);
    (least..most, 0.0..highest * HEADROOM)
}

fn chart<'a, 'b>(title: &str, sheet: &'a Sheet<'b>) -> ChartBuilder<'a, 'b, SVGBackend<'b>> {
    let mut chart = ChartBuilder::on(sheet);
    chart
        .caption(title, TITLE)
        .margin(16)
        .margin_right(40)
        .x_label_area_size(48)
        .y_label_area_size(56);
    chart
}

fn draw_lines<'a, Across>(
    mut chart: ChartContext<'a, SVGBackend<'a>, Cartesian2d<Across, RangedCoordf64>>,
    series: &[Series],
    across: &str,
) -> Drawn
where
    Across: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .label_style(FONT)
        .x_desc(across)
        .x_label_formatter(&|value| format!("{value:.0}"))
        .draw()?;
    for (index, (name, points)) in series.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        let line = LineSeries::new(points.iter().copied(), colour.stroke_width(2));
        chart.draw_series(line)?.label(name).legend(key(colour));
        let dots = points
            .iter()
            .map(|point| Circle::new(*point, 3, colour.filled()));
        chart.draw_series(dots)?;
    }
    legend(&mut chart)
}

type Sheet<'a> = DrawingArea<SVGBackend<'a>, Shift>;

fn sheet(path: &Path, size: (u32, u32)) -> Result<Sheet<'_>, Box<dyn Error>> {
    let sheet = SVGBackend::new(path, size).into_drawing_area();
    sheet.fill(&WHITE)?;
    Ok(sheet)
}

/// A legend's coloured square.
fn key(colour: RGBColor) -> impl Fn((i32, i32)) -> Rectangle<(i32, i32)> {
    move |(x, y)| Rectangle::new([(x, y - 6), (x + 12, y + 6)], colour.filled())
}

fn legend<'a, Coordinates: CoordTranslate>(
    chart: &mut ChartContext<'a, SVGBackend<'a>, Coordinates>,
) -> Drawn {
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .label_font(FONT)
        .draw()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Figure;

    fn figure(per_second: f64) -> Figure {
        Figure {
            per_second,
            p50: 1.0,
            p99: 4.0,
            p999: 9.0,
            cpu: 100.0,
            ..Figure::default()
        }
    }

    #[test]
    fn each_plot_names_the_subjects_measured() {
        let rows = ["pass-through", "SQLite", "Redis", "Redis, three instances"];
        let grown = |live| Growth {
            live,
            send: figure(1.0),
            check: figure(1.0),
            store_size: 1.0,
        };
        let measured = Measured {
            closed: rows.map(|name| (name, [figure(4.0); 3])).to_vec(),
            steady: rows.map(|name| (name, [figure(2.0)])).to_vec(),
            distant: Vec::new(),
            grown: vec![("SQLite", vec![grown(1_000), grown(1_000_000)])],
        };
        let directory = tempfile::tempdir().unwrap();
        draw(&measured, directory.path()).unwrap();
        let document = measured.document("plots");
        for (name, said) in [
            ("throughput.svg", ["SQLite", "verify"]),
            ("steady.svg", ["pass-through", "p99.9"]),
            ("growth.svg", ["SQLite, check", "1000000"]),
        ] {
            let picture = std::fs::read_to_string(directory.path().join(name)).unwrap();
            assert!(document.contains(&format!("(plots/{name})")), "{name}");
            for word in said {
                assert!(picture.contains(word), "{name} says nothing of {word}");
            }
        }
    }
}
