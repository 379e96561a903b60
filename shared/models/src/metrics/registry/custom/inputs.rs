//! Adds the inputs of the user's file, which may be declared in any order.

use std::collections::BTreeSet;

use findata_domain::file_faults::Fault;

use super::{Registry, entry::Declared, name_faults};
use crate::metrics::{earlier::Earlier, entries::Input, expression::Expr, lines::is_line};

/// Returns the inputs that an input's formula uses, without the prefix of an earlier period.
fn used(input: &Input) -> Vec<&str> {
    let inputs = input.formula.as_ref().map(Expr::inputs).unwrap_or_default();
    inputs.into_iter().map(Earlier::name).collect()
}

impl Registry {
    /// Adds inputs in an order in which each is declared after those that it uses. Adds to `broken` the
    /// names of the inputs that have faults, or use one that has.
    pub(super) fn add_inputs(
        &mut self,
        declared: &[Declared<Input>],
        broken: &mut Vec<String>,
        faults: &mut Vec<Fault>,
    ) {
        let mut names = BTreeSet::new();
        let mut open: Vec<&Declared<Input>> = Vec::new();
        for input in declared {
            let (name, line) = (input.name.as_str(), input.line("name"));
            let mut found: Vec<String> = name_faults(name);
            if is_line(name) || self.input(name).is_some() {
                found.push(format!("{name}: there is a built-in input of this name; choose another name"));
            }
            if !names.insert(name) {
                found.push(format!("the input {name} is declared twice"));
            }
            match found.is_empty() {
                true => open.push(input),
                false => broken.push(name.to_owned()),
            }
            faults.extend(found.into_iter().map(|fault| (line, fault)));
        }
        while !open.is_empty() {
            let is_open = |name: &str| open.iter().any(|other| other.name == name);
            let next = open.iter().position(|input| !used(&input.value).into_iter().any(is_open));
            let Some(next) = next else {
                // Every open input uses another open one.
                let cycle = cycle(&open);
                let line = open.iter().find(|input| input.name == cycle[0]).map_or(1, |i| i.line("formula"));
                faults.push((line, format!("the inputs form a cycle: {}", cycle.join(" uses "))));
                open.retain(|input| !cycle.contains(&input.name.as_str()));
                broken.extend(cycle.into_iter().map(str::to_owned));
                continue;
            };
            let input = open.remove(next);
            if used(&input.value).into_iter().any(|name| broken.iter().any(|other| other == name)) {
                broken.push(input.name.clone());
                continue;
            }
            let found = self.input_faults(input);
            match found.is_empty() {
                true => self.inputs.push(input.value.clone()),
                false => broken.push(input.name.clone()),
            }
            faults.extend(found);
        }
    }

    fn input_faults(&self, input: &Declared<Input>) -> Vec<Fault> {
        let (name, line) = (&input.name, input.line("formula"));
        let Some(formula) = &input.value.formula else {
            return Vec::new();
        };
        let unknown = formula.inputs().into_iter().filter(|other| !self.has_of_period(other));
        let mut faults: Vec<Fault> =
            unknown.map(|other| (line, format!("{name}: there is no input {other}"))).collect();
        if let Some(divisor) = formula.divisors().first() {
            let message = format!(
                "{name}: an input has no rule for its divisor {divisor}: divide in the formula of the metric, which has \
                 `denominator`"
            );
            faults.push((line, message));
        }
        if faults.is_empty() {
            let mut found = Vec::new();
            self.check_formula(name, formula, &mut found);
            faults.extend(found.into_iter().map(|fault| input.located(fault)));
        }
        faults
    }
}

/// Returns a cycle of inputs that use each other, with the first one repeated at the end.
fn cycle<'a>(open: &[&'a Declared<Input>]) -> Vec<&'a str> {
    let mut path: Vec<&'a str> = Vec::new();
    let mut next = open.first().copied();
    while let Some(input) = next {
        if let Some(start) = path.iter().position(|name| *name == input.name) {
            path.drain(..start);
            break;
        }
        path.push(&input.name);
        let used = used(&input.value);
        next = open.iter().find(|other| used.contains(&other.name.as_str())).copied();
    }
    path.extend(path.first().copied());
    path
}
