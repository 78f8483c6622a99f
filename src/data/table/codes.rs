//! Which of a file's columns are the numbers of a code.

use std::collections::HashMap;
use std::path::Path;

use crate::error::{Error, Result};

/// What `encode` calls the numbers of a code, before the number of the latent dimension: means, and draws.
const CODES: [&str; 2] = ["mu_", "z_"];
/// What it calls those that are none.
const LOG_VAR: &str = "log_var_";

/// The columns of codes of so many dimensions, by name; none where no name is that of a code.
pub(super) fn columns(path: &Path, names: &[String], codes: usize) -> Result<Option<Vec<usize>>> {
    let refuse = |what: String| {
        let next = "give it the codes that `encode` writes for this model, or a table without names";
        Err(Error::file(path, what, next))
    };
    let of = |prefix: &str| -> HashMap<usize, usize> {
        let dimension = |name: &String| name.strip_prefix(prefix)?.parse().ok();
        names.iter().enumerate().filter_map(|(column, name)| Some((dimension(name)?, column))).collect()
    };
    let found = CODES.map(|prefix| (prefix, of(prefix))).into_iter().find(|(_, found)| !found.is_empty());
    let Some((prefix, found)) = found else {
        return match of(LOG_VAR).is_empty() {
            true => Ok(None),
            false => refuse("its columns are variances of codes, and no codes".into()),
        };
    };
    if let Some(beyond) = found.keys().filter(|dimension| **dimension >= codes).min() {
        return refuse(format!(
            "it has a column {prefix}{beyond}, but the model's end at {prefix}{}",
            codes - 1
        ));
    }
    match (0..codes).map(|dimension| found.get(&dimension).copied().ok_or(dimension)).collect() {
        Ok(columns) => Ok(Some(columns)),
        Err(missing) => {
            refuse(format!("it has no column {prefix}{missing}, one of {codes} numbers of a code"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_a_code_are_found_by_name() {
        let columns = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            columns(Path::new("t.csv"), &names, 2)
        };
        assert_eq!(columns(&["mu_1", "cluster", "row", "mu_0"]).unwrap(), Some(vec![3, 0]));
        assert_eq!(columns(&["row", "z_0", "z_1"]).unwrap(), Some(vec![1, 2]));
        assert_eq!(columns(&["a", "b", "mu_x"]).unwrap(), None);
        for (names, words) in [
            (["mu_0", "cluster"], "no column mu_1, one of 2 numbers"),
            (["mu_1", "mu_2"], "a column mu_2, but the model's end at mu_1"),
            (["log_var_0", "log_var_1"], "no codes"),
        ] {
            let error = columns(&names).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
