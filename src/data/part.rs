//! The names that people give to the training, validation and test parts of their data.

use super::origin::Part;

/// Words beside a part's name that say nothing: `training_set`, `train-images`.
const FILLERS: [&str; 10] =
    ["set", "data", "dataset", "images", "imgs", "pictures", "photos", "split", "part", "seg"];

/// The part that a folder's name means: `train`, `Training`, `val`, `test_set`, `train2017`.
pub(super) fn of_folder(name: &str) -> Option<Part> {
    let words = words(name);
    let mut named = words.iter().filter(|word| !FILLERS.contains(&word.as_str()));
    let (first, second) = (named.next()?, named.next());
    second.is_none().then(|| of_word(first)).flatten()
}

/// The part that is a word among others of a name, and the rest of the name without numbers: `cat_train`, `trainA`,
/// `train (1)`. Names of one rest and several parts belong together; alone, such a word may mean anything.
pub(super) fn hinted(name: &str) -> Option<(Part, String)> {
    let mut apart = String::new();
    let mut last = ' ';
    for c in name.chars() {
        // `trainA` and `catTest` are two words.
        if c.is_uppercase() && last.is_lowercase() {
            apart.push(' ');
        }
        apart.push(c);
        last = c;
    }
    let mut words = words(&apart);
    let at = words.iter().position(|word| of_word(word).is_some())?;
    let part = of_word(&words.remove(at))?;
    words.retain(|word| !word.chars().all(|c| c.is_ascii_digit()) && !FILLERS.contains(&word.as_str()));
    Some((part, words.join("_")))
}

/// The part that is in an array's name, and the rest of the name: `x_train` is the training part's `x`.
pub(super) fn of_array(name: &str) -> (Option<Part>, String) {
    let mut words = words(name);
    if let Some(at) = words.iter().position(|word| of_word(word).is_some()) {
        let part = of_word(&words.remove(at));
        return (part, words.join("_"));
    }
    // `xtrain` and `trainy`.
    for (at, word) in words.iter().enumerate() {
        for role in ["x", "y"] {
            let rest = word.strip_prefix(role).or(word.strip_suffix(role));
            if let Some(part) = rest.and_then(of_word) {
                words[at] = role.to_owned();
                return (Some(part), words.join("_"));
            }
        }
    }
    (None, words.join("_"))
}

/// The part that one word in small letters means.
fn of_word(word: &str) -> Option<Part> {
    // `train2017`, `test1`, `trainset`
    let word = word.trim_end_matches(|c: char| c.is_ascii_digit());
    match word.strip_suffix("set").unwrap_or(word) {
        "train" | "training" | "trn" => Some(Part::Train),
        "val" | "valid" | "validation" | "dev" => Some(Part::Valid),
        "test" | "testing" | "tst" | "eval" | "evaluation" => Some(Part::Test),
        _ => None,
    }
}

/// The words of a name in small letters: what is between characters that are no letters and no digits.
fn words(name: &str) -> Vec<String> {
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_parts_are_known_by_their_usual_names() {
        use Part::*;
        for (names, part) in [
            (
                &["train", "Train", "TRAINING", "training_set", "train2017", "trainset", "seg_train"][..],
                Train,
            ),
            (&["val", "Valid", "validation", "dev", "val2017", "valid-images"], Valid),
            (&["test", "TEST", "Testing", "eval", "test_set", "test1", "evaluation"], Test),
        ] {
            for name in names {
                assert_eq!(of_folder(name), Some(part), "{name}");
            }
        }
        for name in
            ["", "cats", "train_station", "test tube", "trains", "tests", "set", "value", "contest", "2017"]
        {
            assert_eq!(of_folder(name), None, "{name}");
        }
    }

    #[test]
    fn parts_are_words_of_longer_names() {
        for (name, part, rest) in [
            ("trainA", Part::Train, "a"),
            ("test_B", Part::Test, "b"),
            ("cat_train", Part::Train, "cat"),
            ("catTest", Part::Test, "cat"),
            ("train (1)", Part::Train, ""),
            ("wine-test", Part::Test, "wine"),
            ("tst", Part::Test, ""),
            ("dog.val", Part::Valid, "dog"),
        ] {
            assert_eq!(hinted(name), Some((part, rest.to_owned())), "{name}");
        }
        for name in ["trains", "contest", "Trainers", "latest", "cat", "", "training1shoes"] {
            assert_eq!(hinted(name), None, "{name}");
        }
    }

    #[test]
    fn arrays_say_their_part_and_their_role() {
        for (name, part, role) in [
            ("x_train", Some(Part::Train), "x"),
            ("X_test", Some(Part::Test), "x"),
            ("val_images", Some(Part::Valid), "images"),
            ("images.dev", Some(Part::Valid), "images"),
            ("ytrain", Some(Part::Train), "y"),
            ("trainX", Some(Part::Train), "x"),
            ("test", Some(Part::Test), ""),
            ("arr_0", None, "arr_0"),
            ("imgs", None, "imgs"),
            ("X", None, "x"),
        ] {
            assert_eq!(of_array(name), (part, role.to_owned()), "{name}");
        }
    }
}
