//! The run's output: figures beside their floors, and whether each budget is met.

/// One measured value with its unit.
#[derive(Clone, Copy)]
pub enum Unit {
    /// Deliveries for one second of a core, in millions.
    Millions,
    /// Processor time for one delivery.
    Micros,
    /// Latencies: microseconds as milliseconds.
    Millis,
    Kib,
    Mib,
    PerSecond,
    Ratio,
}

impl Unit {
    pub fn tell(self, value: f64) -> String {
        match self {
            Unit::Millions => format!("{:.2} M", value / 1e6),
            Unit::Micros => format!("{value:.2} µs"),
            Unit::Millis => format!("{:.2} ms", value / 1e3),
            Unit::Kib => format!("{value:.2} KiB"),
            Unit::Mib => format!("{:.2} MiB", value / 1024.0),
            Unit::PerSecond => format!("{value:.0}/s"),
            Unit::Ratio => format!("{value:.2}"),
        }
    }
}

/// The heads of a table whose columns are as wide here as in [`row`].
pub fn table(title: &str, columns: &[&str]) {
    println!();
    let cells = columns.iter().map(|column| (*column).to_owned()).collect::<Vec<_>>();
    row(title, &cells);
}

pub fn row(label: &str, cells: &[String]) {
    let cells: String = cells.iter().map(|cell| format!(" {cell:>16}")).collect();
    println!("{label:<44}{cells}");
}

/// A value or, where nothing was measured, a dash.
pub fn cell(unit: Unit, value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| unit.tell(value))
}

/// A value's budget.
#[derive(Clone, Copy)]
pub enum Budget {
    AtLeast(f64),
    AtMost(f64),
}

/// Prints beside a value whether it keeps its budget; nothing without a value.
pub fn judge(figure: &str, unit: Unit, value: Option<f64>, budget: Budget) {
    let Some(value) = value else { return };
    let (met, bound, limit) = match budget {
        Budget::AtLeast(limit) => (value >= limit, "at least", limit),
        Budget::AtMost(limit) => (value <= limit, "at most", limit),
    };
    let word = if met { "met" } else { "NOT met" };
    println!("  {word:<8} {figure}: {}, {bound} {}", unit.tell(value), unit.tell(limit));
}
