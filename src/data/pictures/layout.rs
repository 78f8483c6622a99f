//! What the folders of pictures mean: training, validation and test parts, and labels.

use std::collections::{BTreeMap, BTreeSet};

use super::super::natural;
use super::super::origin::Part;
use super::super::part;

/// Most files that a message names.
const NAMED: usize = 5;
/// The label of pictures beside the folders of those that have one.
const UNLABELLED: &str = "unlabelled";

/// What the folders of each picture mean.
#[derive(Debug, Default)]
pub(super) struct Layout {
    /// The pictures of each part; those that lie in none are left out. Without parts all are for training.
    pub train: Vec<u32>,
    pub valid: Option<Vec<u32>>,
    pub test: Option<Vec<u32>>,
    /// The part of each picture.
    pub parts: Vec<Option<Part>>,
    pub classes: Vec<String>,
    /// The label of each picture.
    pub labels: Vec<Option<u32>>,
    pub notes: Vec<String>,
    pub warnings: Vec<String>,
}

/// Where in a picture's folders its part stands, and its label.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Split {
    /// `wrapper/train/cats`: the part at this depth, the label below it.
    Above(usize),
    /// `wrapper/cats/train`: the part at this depth, the label above it.
    Below(usize),
}

impl Split {
    fn depth(self) -> usize {
        match self {
            Split::Above(depth) | Split::Below(depth) => depth,
        }
    }

    fn part(self, folders: &[String]) -> Option<Part> {
        part::of_folder(folders.get(self.depth())?)
    }

    /// The label, where so many folders below that of a picture's part only repeat it.
    fn label(self, folders: &[String], doubled: usize) -> Option<&String> {
        match self {
            Split::Below(depth) => folders.get(depth - 1),
            Split::Above(depth) => folders.get(depth + 1 + doubled),
        }
    }

    /// How many folders below that of a part only repeat it: `train/train/cats` comes of archives that were unpacked into a
    /// folder of their name, and holds all of the part. A class may be called so too: then another part has it.
    fn doubled(self, all: &[&[String]], part: Part) -> usize {
        let Split::Above(depth) = self else { return 0 };
        let (own, others): (Vec<&&[String]>, Vec<&&[String]>) = all
            .iter()
            .filter(|folders| self.part(folders).is_some())
            .partition(|folders| self.part(folders) == Some(part));
        let mut count = 0;
        loop {
            let inner = |folders: &&&[String]| folders.get(depth + 1 + count).cloned();
            let Some(name) = own.first().and_then(inner) else { return count };
            let repeats = part::of_folder(&name) == Some(part)
                && own.iter().all(|folders| inner(folders).as_ref() == Some(&name));
            if !repeats || others.iter().any(|folders| inner(folders).as_ref() == Some(&name)) {
                return count;
            }
            count += 1;
        }
    }
}

/// The meaning of the folders of each picture; `name` names one in messages. Rows of data are the `readable` ones alone.
pub(super) fn layout(folders: &[&[String]], name: &dyn Fn(usize) -> String, readable: &[u32]) -> Layout {
    let mut layout = Layout::default();
    let list = |mut rows: &mut dyn Iterator<Item = usize>| {
        let first: Vec<String> = (&mut rows).take(NAMED).map(name).collect();
        let more = rows.count();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{}{more}", first.join(", "))
    };
    let split = find_split(folders);
    let depth = common(folders);
    let all = 0..folders.len();
    layout.parts = folders.iter().map(|folders| split.and_then(|split| split.part(folders))).collect();
    if split.is_some() {
        layout.warnings.extend(outside(&layout.parts, &list));
        layout.notes.push(told(folders, &layout.parts, split));
    } else {
        layout.warnings.extend(lonely(folders, depth).or_else(|| hinted(folders)));
    }
    let mut can = vec![false; folders.len()];
    readable.iter().for_each(|row| can[*row as usize] = true);
    let kept = |row: &usize| can[*row] && (split.is_none() || layout.parts[*row].is_some());
    let doubled: BTreeMap<Part, usize> = split
        .into_iter()
        .flat_map(|split| {
            let parts = [Part::Train, Part::Valid, Part::Test];
            parts.into_iter().map(move |part| (part, split.doubled(folders, part)))
        })
        .collect();
    let label = |row: usize| match (split, layout.parts[row]) {
        (Some(split), Some(part)) => split.label(folders[row], doubled[&part]),
        (Some(_), None) => None,
        (None, _) => folders[row].get(depth),
    };
    let mut names: Vec<&str> = all.clone().filter(kept).filter_map(label).map(String::as_str).collect();
    names.sort_by(|a, b| natural::compare(a, b));
    names.dedup();
    // Parts with labels; within them, every picture has one.
    let labelled: BTreeSet<Option<Part>> =
        all.clone().filter(kept).filter(|row| label(*row).is_some()).map(|row| layout.parts[row]).collect();
    let stray = |row: &usize| kept(row) && label(*row).is_none();
    let lost: Vec<usize> =
        all.clone().filter(stray).filter(|row| labelled.contains(&layout.parts[*row])).collect();
    if !lost.is_empty() {
        if !names.contains(&UNLABELLED) {
            names.push(UNLABELLED);
        }
        let (count, list) =
            (counted(lost.len(), "picture lies", "pictures lie"), list(&mut lost.iter().copied()));
        layout
            .warnings
            .push(format!("{count} beside the folders that are labels; label `{UNLABELLED}`: {list}"));
    }
    let bare: BTreeSet<Option<Part>> = all.clone().filter(stray).map(|row| layout.parts[row]).collect();
    if !labelled.is_empty() {
        for part in bare.difference(&labelled).flatten() {
            layout
                .warnings
                .push(format!("the {} part has no folders of classes, and so no labels", shown(*part)));
        }
    }
    let numbers: BTreeMap<&str, u32> = names.iter().copied().zip(0..).collect();
    let of = |row: usize| {
        let name =
            label(row).map(String::as_str).or(labelled.contains(&layout.parts[row]).then_some(UNLABELLED))?;
        numbers.get(name).copied()
    };
    layout.labels = all.clone().map(|row| if kept(&row) { of(row) } else { None }).collect();
    let rows = |part: Part| -> Vec<u32> {
        all.clone()
            .filter(|row| can[*row] && layout.parts[*row] == Some(part))
            .map(|row| row as u32)
            .collect()
    };
    let some = |rows: Vec<u32>| (!rows.is_empty()).then_some(rows);
    (layout.train, layout.valid, layout.test) = match split {
        Some(_) => (rows(Part::Train), some(rows(Part::Valid)), some(rows(Part::Test))),
        None => (readable.to_vec(), None, None),
    };
    if split.is_none() && !names.is_empty() {
        layout.notes.push("folders are labels".to_owned());
    }
    layout.classes = names.into_iter().map(str::to_owned).collect();
    layout
}

/// The depth at which folders are parts: a training part and another one, which hold half of the pictures or more.
fn find_split(folders: &[&[String]]) -> Option<Split> {
    let deepest = folders.iter().map(|folders| folders.len()).max()?;
    (0..deepest).find_map(|depth| {
        let splits = [Some(Split::Above(depth)), (depth > 0).then_some(Split::Below(depth))];
        splits.into_iter().flatten().find(|split| is_split(folders, *split))
    })
}

fn is_split(folders: &[&[String]], split: Split) -> bool {
    // What is above the part, apart from a class, is one folder for all.
    let above = match split {
        Split::Above(depth) => depth,
        Split::Below(depth) => depth - 1,
    };
    let within: Vec<&&[String]> = folders.iter().filter(|folders| split.part(folders).is_some()).collect();
    let parts: BTreeSet<Option<Part>> = within.iter().map(|folders| split.part(folders)).collect();
    let one = within.windows(2).all(|pair| pair[0][..above] == pair[1][..above]);
    one && parts.contains(&Some(Part::Train)) && parts.len() > 1 && 2 * within.len() >= folders.len()
}

/// The depth of the folders that are labels: below those that hold everything.
fn common(folders: &[&[String]]) -> usize {
    let mut depth = 0;
    loop {
        let mut within = folders.iter().filter(|folders| folders.len() > depth);
        let Some(first) = within.next().map(|folders| &folders[depth]) else { return 0 };
        let one =
            folders.iter().filter(|f| f.len() > depth).all(|f| f[depth] == *first && f.len() > depth + 1);
        if !one {
            return depth;
        }
        depth += 1;
    }
}

/// Pictures in none of the parts.
fn outside(
    parts: &[Option<Part>],
    list: &dyn Fn(&mut dyn Iterator<Item = usize>) -> String,
) -> Option<String> {
    let mut rows = parts.iter().enumerate().filter(|(_, part)| part.is_none()).map(|(row, _)| row);
    let count = rows.clone().count();
    let all = counted(count, "picture lies", "pictures lie");
    (count > 0).then(|| format!("{all} outside the folders of the parts, left out: {}", list(&mut rows)))
}

/// The folders that are parts.
fn told(folders: &[&[String]], parts: &[Option<Part>], split: Option<Split>) -> String {
    let name =
        |row: usize| split.and_then(|split| folders[row].get(split.depth())).map_or("", String::as_str);
    let mut names: BTreeMap<Part, BTreeSet<&str>> = BTreeMap::new();
    for (row, part) in parts.iter().enumerate() {
        if let Some(part) = part {
            names.entry(*part).or_default().insert(name(row));
        }
    }
    let each: Vec<String> = names
        .into_iter()
        .map(|(part, names)| {
            format!("{} for {}", names.into_iter().collect::<Vec<_>>().join(" and "), shown(part))
        })
        .collect();
    let labels = match split {
        Some(Split::Below(_)) => "folders above them are labels",
        _ => "folders below them, if any, are labels",
    };
    format!("parts by their folders: {}; {labels}", each.join(", "))
}

/// A folder that looks like a part, where there is no training part beside it.
fn lonely(folders: &[&[String]], depth: usize) -> Option<String> {
    let names: BTreeSet<&str> =
        folders.iter().filter_map(|folders| Some(folders.get(depth)?.as_str())).collect();
    let named: Vec<&str> = names.iter().copied().filter(|name| part::of_folder(name).is_some()).collect();
    let which = named.join(" and ");
    (!named.is_empty() && names.len() > 1).then(|| {
        format!(
            "{which} is read as a class like the folders beside it: parts need a folder called train and one called val \
             or test, with nearly all pictures in them"
        )
    })
}

/// Folders whose names hold those of a training part and of another one, among other words.
fn hinted(folders: &[&[String]]) -> Option<String> {
    let deepest = folders.iter().map(|folders| folders.len()).max()?;
    let (depth, names) = (0..deepest).find_map(|depth| {
        let mut found: BTreeMap<String, BTreeMap<Part, &str>> = BTreeMap::new();
        for name in folders.iter().filter_map(|folders| folders.get(depth)) {
            if let Some((part, rest)) = part::hinted(name) {
                found.entry(rest).or_default().entry(part).or_insert(name);
            }
        }
        let both = |parts: &BTreeMap<Part, &str>| parts.contains_key(&Part::Train) && parts.len() > 1;
        let names: Vec<String> = found
            .into_values()
            .filter(both)
            .flat_map(|parts| parts.into_values().map(str::to_owned).collect::<Vec<_>>())
            .collect();
        (!names.is_empty()).then_some((depth, names))
    })?;
    let (first, more) = (names[..names.len().min(NAMED)].join(", "), names.len().saturating_sub(NAMED));
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let below = if depth > 0 { ", right above or below those of the classes" } else { "" };
    Some(format!(
        "{first}{more} look like parts, but all their pictures are learnt from: call the folders of parts train, val and \
         test alone{below}, such as train/cat and test/cat"
    ))
}

fn shown(part: Part) -> &'static str {
    match part {
        Part::Train => "training",
        Part::Valid => "validation",
        Part::Test => "test",
    }
}

/// `1 picture lies`, `2 pictures lie`.
fn counted(count: usize, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The layout of pictures in these folders.
    fn of(paths: &[&str]) -> Layout {
        let folders: Vec<Vec<String>> = paths
            .iter()
            .map(|path| {
                let mut names: Vec<String> = path.split('/').map(str::to_owned).collect();
                names.pop();
                names
            })
            .collect();
        let folders: Vec<&[String]> = folders.iter().map(Vec::as_slice).collect();
        layout(&folders, &|row| paths[row].to_owned(), &(0..paths.len() as u32).collect::<Vec<_>>())
    }

    /// The rows of each part, and the classes by row.
    #[track_caller]
    fn split(paths: &[&str], expected: [&[u32]; 3], labels: &[&str]) -> Layout {
        let layout = of(paths);
        let [valid, test] = [&layout.valid, &layout.test].map(|rows| rows.clone().unwrap_or_default());
        assert_eq!([layout.train.clone(), valid, test], expected.map(<[u32]>::to_vec), "{layout:?}");
        let name = |label: &Option<u32>| label.map_or("", |label| layout.classes[label as usize].as_str());
        assert_eq!(layout.labels.iter().map(name).collect::<Vec<_>>(), labels);
        layout
    }

    #[test]
    fn parts_stand_above_or_below_the_classes_in_any_case() {
        let above = ["Train/cat/1", "Train/dog/2", "VAL/cat/3", "testing/dog/4"];
        let layout = split(&above, [&[0, 1], &[2], &[3]], &["cat", "dog", "cat", "dog"]);
        assert_eq!(layout.warnings, [""; 0]);
        assert!(
            layout.notes[0]
                .starts_with("parts by their folders: Train for training, VAL for validation, testing")
        );
        let below = ["cat/train/1", "cat/test/2", "dog/train/3", "dog/validation/4"];
        split(&below, [&[0, 2], &[3], &[1]], &["cat", "cat", "dog", "dog"]);
        // Below a folder that holds everything, and twice as archives unpack.
        let wrapped = ["set/train/train/cat/1", "set/train/train/dog/2", "set/test/test/dog/3"];
        split(&wrapped, [&[0, 1], &[], &[2]], &["cat", "dog", "dog"]);
        let wrapped = ["set/cat/train/1", "set/cat/eval/2", "set/dog/train/3"];
        split(&wrapped, [&[0, 2], &[], &[1]], &["cat", "cat", "dog"]);
        split(&["train/1", "dev/2", "test/3"], [&[0], &[1], &[2]], &[""; 3]);
    }

    #[test]
    fn a_class_may_have_the_name_of_a_part() {
        let paths = ["train/train/1", "train/cat/2", "test/train/3", "test/cat/4"];
        split(&paths, [&[0, 1], &[], &[2, 3]], &["train", "cat", "train", "cat"]);
        // The only class.
        split(&["train/train/1", "test/train/2"], [&[0], &[], &[1]], &["train", "train"]);
        split(
            &["train/test/1", "train/train/2", "test/test/3"],
            [&[0, 1], &[], &[2]],
            &["test", "train", "test"],
        );
        // An archive in a folder of its name.
        let paths = ["train/train/cat/1", "train/train/dog/2", "test/cat/3"];
        split(&paths, [&[0, 1], &[], &[2]], &["cat", "dog", "cat"]);
        split(&["train/train/1", "test/test/2"], [&[0], &[], &[1]], &[""; 2]);
    }

    #[test]
    fn what_lies_outside_the_parts_is_left_out_and_named() {
        let paths = ["stray", "train/cat/1", "train/dog/2", "test/cat/3", "extra/4"];
        let layout = split(&paths, [&[1, 2], &[], &[3]], &["", "cat", "dog", "cat", ""]);
        assert_eq!(
            layout.warnings,
            ["2 pictures lie outside the folders of the parts, left out: stray, extra/4"]
        );
    }

    #[test]
    fn pictures_without_a_label_are_kept_and_named() {
        let layout = split(&["0", "cat/1", "dog/2"], [&[0, 1, 2], &[], &[]], &["unlabelled", "cat", "dog"]);
        assert!(layout.warnings[0].ends_with("label `unlabelled`: 0"), "{:?}", layout.warnings);
        let layout =
            split(&["train/cat/1", "train/2", "test/3"], [&[0, 1], &[], &[2]], &["cat", "unlabelled", ""]);
        assert_eq!(layout.warnings.len(), 2);
        assert!(
            layout.warnings[1].contains("the test part has no folders of classes"),
            "{:?}",
            layout.warnings
        );
    }

    #[test]
    fn folders_that_are_no_parts_are_classes() {
        // A class may be called like a part.
        let layout = split(&["cat/1", "dog/2", "test/3"], [&[0, 1, 2], &[], &[]], &["cat", "dog", "test"]);
        assert!(layout.warnings[0].starts_with("test is read as a class"), "{:?}", layout.warnings);
        // A training part alone is a folder around everything.
        let layout = split(&["train/cat/1", "train/dog/2"], [&[0, 1], &[], &[]], &["cat", "dog"]);
        assert_eq!(layout.warnings, [""; 0]);
        // Few of the pictures.
        // An archive with everything twice is read once.
        let paths = ["x/train/1", "x/test/2", "x/x/train/1", "x/x/test/2"];
        split(&paths, [&[0], &[], &[1]], &[""; 4]);
        let paths = ["a/train/1", "a/test/2", "b/3", "b/4", "b/5"];
        split(&paths, [&[0, 1, 2, 3, 4], &[], &[]], &["a", "a", "b", "b", "b"]);
        split(&["cat/old/1", "cat/2"], [&[0, 1], &[], &[]], &["cat", "cat"]);
        split(&["0", "1"], [&[0, 1], &[], &[]], &["", ""]);
        split(&[], [&[], &[], &[]], &[]);
    }

    #[test]
    fn parts_with_other_words_in_their_names_are_warned_of() {
        for paths in [
            &["trainA/1", "trainB/2", "testA/3", "testB/4"][..],
            &["train_A/1", "test_A/2"],
            &["cat_train/1", "cat_test/2", "dog_train/3", "dog_test/4"],
            &["train (1)/1", "test (1)/2"],
            &["cat/images/train/1", "cat/images/test/2", "dog/images/train/3"],
            &["cat/train/1", "cat/test/2", "dog/3", "dog/4", "dog/5"],
        ] {
            let layout = of(paths);
            assert_eq!(layout.warnings.len(), 1, "{layout:?}");
            assert!(layout.warnings[0].contains("look like parts, but all their pictures"), "{layout:?}");
        }
        for paths in [
            &["trains/1", "contest/2"][..],
            &["train_station/1", "test_tube/2"],
            &["training_shoes/1", "cat/2"],
        ] {
            assert_eq!(of(paths).warnings, [""; 0], "{paths:?}");
        }
        split(&["trn/1", "tst/2"], [&[0], &[], &[1]], &[""; 2]);
    }

    #[test]
    fn classes_come_in_the_order_of_their_numbers() {
        let layout = of(&["10/a", "2/a", "1/a", "0/a"]);
        assert_eq!(layout.classes, ["0", "1", "2", "10"]);
        assert_eq!(layout.labels, [Some(3), Some(2), Some(1), Some(0)]);
    }
}
