//! Fills a figure with its formula and the figures of the formula's inputs.

use findata_domain::Result;
use findata_models::metrics::{Expr, Function, Op};

use crate::{
    figure::Figure,
    words::{label, words},
};

impl Figure {
    /// Sets the formula and its inputs. If the figure has neither a value nor a reason for NULL,
    /// also sets the value. `input` returns the figure of an input by name. If the formula has
    /// alternatives, only the alternative that applies is shown, with its inputs.
    ///
    /// # Errors
    /// The errors of `input`.
    pub fn fill(&mut self, formula: &Expr, input: &dyn Fn(&str) -> Result<Figure>) -> Result<()> {
        for name in formula.inputs() {
            self.inputs.push(Figure { name: name.to_owned(), label: label(name), ..input(name)? });
        }
        let chosen = applicable(formula, &|name| self.input_value(name));
        let used = chosen.inputs();
        self.inputs.retain(|input| used.contains(&input.name.as_str()));
        if self.value.is_none() && self.reason.is_none() {
            self.value = chosen.evaluate(&|name| self.input_value(name));
        }
        self.formula = Some(words(&chosen));
        self.expression = Some(chosen);
        Ok(())
    }

    /// Sets the formula to a single input, because this figure is a copy of it.
    pub fn same_as(&mut self, input: Figure) {
        self.formula = Some(input.label.clone());
        self.expression = Some(Expr::input(&input.name));
        self.inputs = vec![input];
    }

    /// Sets the formula to `from` multiplied or divided by a split factor.
    pub fn adjust(&mut self, from: Figure, factor: Figure, is_product: bool) {
        let op = if is_product { Op::Times } else { Op::Over };
        let sign = if is_product { "×" } else { "÷" };
        let (a, b) = (Expr::input(&from.name), Expr::input(&factor.name));
        self.formula = Some(format!("{} {sign} {}", from.label, factor.label));
        self.expression = Some(Expr::Binary(Box::new(a), op, Box::new(b)));
        self.inputs = vec![from, factor];
    }

    /// Returns the value of an input by name.
    pub fn input_value(&self, name: &str) -> Option<f64> {
        self.inputs.iter().find(|input| input.name == name)?.value
    }
}

/// Parses a formula and renames its inputs. Each pair has the old and the new name.
///
/// # Errors
/// `Reject` if the formula does not follow the grammar.
pub fn renamed(formula: &str, names: &[(&str, &str)]) -> Result<Expr> {
    Ok(Expr::parse(formula)?.replace(&|part| match part {
        Expr::Input(name) => {
            let (_, new) = names.iter().find(|(old, _)| old == name)?;
            Some(Expr::input(new))
        }
        _ => None,
    }))
}

/// Numbers figures that have the same name: `revenue` becomes `revenue_1`, `revenue_2` and so on.
pub fn numbered(figures: Vec<Figure>) -> Vec<Figure> {
    let number =
        |(n, figure): (usize, Figure)| Figure { name: format!("{}_{}", figure.name, n + 1), ..figure };
    figures.into_iter().enumerate().map(number).collect()
}

/// Returns the formula of the sum of figures, or `None` for an empty list.
pub fn sum(figures: &[Figure]) -> Option<Expr> {
    let inputs = figures.iter().map(|figure| Expr::input(&figure.name));
    inputs.reduce(|sum, input| Expr::Binary(Box::new(sum), Op::Plus, Box::new(input)))
}

/// Returns the formula of the mean of figures, or `None` for an empty list.
pub fn mean(figures: &[Figure]) -> Option<Expr> {
    let count = Expr::Number(figures.len().to_string());
    Some(Expr::Binary(Box::new(sum(figures)?), Op::Over, Box::new(count)))
}

/// Replaces every `if` and `coalesce` with the alternative that applies to the values of the
/// inputs.
fn applicable(formula: &Expr, input: &dyn Fn(&str) -> Option<f64>) -> Expr {
    formula.replace(&|part| match part {
        Expr::Call(Function::If, parts) => {
            let [condition, result, otherwise @ ..] = parts.as_slice() else {
                return None;
            };
            let holds = condition.evaluate(input).is_some_and(|c| c != 0.0);
            let chosen = if holds { Some(result) } else { otherwise.first() };
            chosen.map(|chosen| applicable(chosen, input))
        }
        Expr::Call(Function::Coalesce, alternatives) => {
            let chosen = alternatives.iter().find(|e| e.evaluate(input).is_some())?;
            Some(applicable(chosen, input))
        }
        _ => None,
    })
}
