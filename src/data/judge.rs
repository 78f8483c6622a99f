//! What is doubtful of a source's parts as a whole: their labels, and rows that stand in two parts.

use std::collections::BTreeSet;

use super::classes::class_name;
use super::fingerprint::same_rows;
use super::reader::NAMED;
use super::split::Split;
use super::table::NO_LABEL;
use crate::error::Result;

/// Rows from which on as many classes are no classes.
const MANY: usize = 20;

/// The parts of a source that a model is to be trained on.
pub(super) struct Judged<'a> {
    pub train: &'a Split,
    pub valid: Option<&'a Split>,
    pub test: &'a Split,
    /// What the test part is called, if it is no share of the rows.
    pub own_test: Option<&'a str>,
    pub classes: &'a [String],
}

impl Judged<'_> {
    pub(super) fn warnings(&self) -> Result<Vec<String>> {
        let labels = self.too_many().or_else(|| self.untrained());
        let same = match self.own_test {
            Some(name) if same_rows(self.train, self.test)? => Some(format!(
                "{name} has the rows of the training part: what is measured on them says nothing of new data"
            )),
            _ => None,
        };
        Ok(labels.into_iter().chain(same).collect())
    }

    /// Where there is hardly a row for each class.
    fn too_many(&self) -> Option<String> {
        let all = [Some(self.train), self.valid, Some(self.test)];
        let labels: Vec<u32> = all.into_iter().flatten().flat_map(labels_of).collect();
        let (rows, classes) = (labels.len(), labels.into_iter().collect::<BTreeSet<u32>>().len());
        (rows >= MANY && 2 * classes > rows).then(|| {
            format!(
                "the labels are of {classes} classes in {rows} rows: numbers to be predicted, and names of single rows, are no \
                 classes"
            )
        })
    }

    /// Classes of another part that the training part has no row of.
    fn untrained(&self) -> Option<String> {
        let learnt: BTreeSet<u32> = labels_of(self.train).collect();
        let others = self.valid.into_iter().chain([self.test]).flat_map(labels_of);
        let new: BTreeSet<u32> = others.filter(|label| !learnt.contains(label)).collect();
        if new.is_empty() || learnt.is_empty() {
            return None;
        }
        let names: Vec<String> =
            new.iter().take(NAMED).map(|label| class_name(self.classes, *label)).collect();
        let more = match new.len() - names.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let (word, them) = if new.len() == 1 { ("label", "it") } else { ("labels", "them") };
        Some(format!(
            "no training row has the {word} {}{more}: a model with `model.condition` = labels cannot learn {them}",
            names.join(", ").escape_debug()
        ))
    }
}

fn labels_of(split: &Split) -> impl Iterator<Item = u32> + '_ {
    split.labels.iter().flat_map(|labels| labels.iter().copied()).filter(|label| *label != NO_LABEL)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warnings(train: &[u32], test: &[u32], own: bool) -> Vec<String> {
        let of =
            |labels: &[u32]| Split::new(vec![7; labels.len()], 1, None).with_labels(Some(labels.to_vec()));
        let (train, test) = (of(train), of(test));
        let classes = ["a", "b"].map(str::to_owned);
        let own_test = own.then_some("t.csv");
        Judged { train: &train, valid: None, test: &test, own_test, classes: &classes }.warnings().unwrap()
    }

    #[test]
    fn classes_without_a_training_row_are_named() {
        assert!(warnings(&[0, 1, 0], &[1], false).is_empty());
        assert_eq!(
            warnings(&[0, 0], &[1], true),
            ["no training row has the label b: a model with `model.condition` = labels cannot learn it"]
        );
        let many = warnings(&[0, 0], &(1..9).collect::<Vec<_>>(), true);
        assert!(many[0].contains("the labels b, 2, 3, 4, 5 and 3 more"), "{many:?}");
    }

    #[test]
    fn hardly_a_row_a_class_and_rows_of_both_parts_are_told() {
        let each: Vec<u32> = (0..30).collect();
        let told = warnings(&each, &[0, 1], true);
        assert!(told.len() == 1 && told[0].contains("30 classes in 32 rows"), "{told:?}");
        assert!(warnings(&[0; 30], &[0; 3], true).is_empty());
        assert!(warnings(&[0; 3], &[0; 3], true)[0].starts_with("t.csv has the rows of the training part"));
        assert!(warnings(&[0; 3], &[0; 3], false).is_empty());
    }
}
