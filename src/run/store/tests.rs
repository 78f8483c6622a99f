//! Each test is one way in which a file can be damaged, or lie.

use std::fs;

use tempfile::TempDir;

use super::*;

fn tensors() -> Vec<NamedTensor> {
    let tensor = |name: &str, shape: &[usize], values: &[f32]| NamedTensor {
        name: name.to_owned(),
        shape: shape.to_owned(),
        values: values.to_owned(),
    };
    vec![
        tensor("encoder.weight", &[2, 3], &[0.0, -1.5, 2.25, f32::MIN_POSITIVE, 4.0, -0.0]),
        tensor("adam.step", &[], &[7.0]),
        tensor("empty", &[0, 3], &[]),
        tensor("a \"quoted\" näme", &[1], &[f32::INFINITY]),
    ]
}

fn metadata() -> BTreeMap<String, String> {
    [("epoch", "12"), ("note", "line\nbreak")].map(|(key, value)| (key.into(), value.into())).into()
}

/// A folder with an intact file.
fn sound() -> (TempDir, std::path::PathBuf, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    write_tensors(&path, &tensors(), &metadata()).unwrap();
    let bytes = fs::read(&path).unwrap();
    (folder, path, bytes)
}

/// A file with this header and `data` zero bytes.
fn crafted(header: &str, data: usize) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &vec![0; data]].concat()
}

/// The error message for these bytes, which must blame the file.
#[track_caller]
fn refusal(bytes: &[u8]) -> String {
    match parse(Path::new("model.safetensors"), &mut &bytes[..], bytes.len() as u64) {
        Err(error @ Error::File { .. }) => error.to_string(),
        Err(other) => panic!("not blamed on the file: {other}"),
        Ok((tensors, metadata)) => panic!("accepted: {tensors:?} {metadata:?}"),
    }
}

#[track_caller]
fn assert_refused(bytes: &[u8], because: &str) {
    let message = refusal(bytes);
    assert!(message.contains(because), "{message}");
}

#[test]
fn what_is_written_is_read_in_the_same_order() {
    let (_folder, path, _) = sound();
    assert_eq!(read_tensors(&path).unwrap(), (tensors(), metadata()));
}

#[test]
fn nothing_at_all_can_be_written_and_read() {
    let (_folder, path, _) = sound();
    write_tensors(&path, &[], &BTreeMap::new()).unwrap();
    assert_eq!(read_tensors(&path).unwrap(), (vec![], BTreeMap::new()));
}

#[test]
fn not_a_number_keeps_its_bits() {
    let (_folder, path, _) = sound();
    let odd = f32::from_bits(0xffc1_2345);
    write_tensors(&path, &[NamedTensor { name: "x".into(), shape: vec![1], values: vec![odd] }], &metadata())
        .unwrap();
    assert_eq!(read_tensors(&path).unwrap().0[0].values[0].to_bits(), odd.to_bits());
}

#[test]
fn the_same_tensors_give_the_same_bytes() {
    let (_folder, _, first) = sound();
    let (_folder, _, second) = sound();
    assert_eq!(first, second);
}

#[test]
fn other_readers_of_the_format_agree() {
    let (_folder, _, bytes) = sound();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(file.len(), 4);
    let weight = file.tensor("encoder.weight").unwrap();
    assert_eq!((weight.dtype(), weight.shape()), (Dtype::F32, &[2, 3][..]));
    assert_eq!(weight.data()[4..8], (-1.5f32).to_le_bytes());
    // 8 bytes of length and the header: the values are aligned for mapping.
    assert_eq!(bytes[..8][0] % 8, 0);
}

#[test]
fn files_of_other_writers_need_no_checksum() {
    let (_folder, path, _) = sound();
    let header = r#"{"__metadata__":{"format":"pt"},"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
    fs::write(&path, crafted(header, 8)).unwrap();
    let (tensors, metadata) = read_tensors(&path).unwrap();
    assert_eq!((tensors[0].name.as_str(), &tensors[0].values[..]), ("x", &[0.0, 0.0][..]));
    assert_eq!(metadata, [("format".to_owned(), "pt".to_owned())].into());
}

#[test]
fn truncated_at_every_byte() {
    let (_folder, _, bytes) = sound();
    for cut in 0..bytes.len() {
        refusal(&bytes[..cut]);
    }
}

#[test]
fn trailing_bytes() {
    let (_folder, _, bytes) = sound();
    assert_refused(&[bytes, vec![0]].concat(), "describes 32 bytes of tensors, but 33 are there");
}

/// Every bit of the file: length, header, names, shapes, metadata, checksum and values.
#[test]
fn every_flipped_bit() {
    let (_folder, _, bytes) = sound();
    for index in 0..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[index] ^= 1 << bit;
            refusal(&flipped);
        }
    }
}

#[test]
fn a_damaged_value_is_called_damage() {
    let (_folder, _, mut bytes) = sound();
    *bytes.last_mut().unwrap() ^= 1;
    let message = refusal(&bytes);
    assert!(message.contains("checksum") && message.contains("the file is damaged"), "{message}");
}

#[test]
fn header_that_claims_more_than_memory() {
    assert_refused(&u64::MAX.to_le_bytes(), "claims a header of 18446744073709551615 bytes");
    assert_refused(&[MAX_HEADER.to_le_bytes().as_slice(), b"{}"].concat(), "only 2 follow");
}

#[test]
fn tensors_that_claim_more_than_the_file() {
    let header = r#"{"x":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,8]}}"#;
    assert_refused(&crafted(header, 8), "makes no sense");
    let header = r#"{"x":{"dtype":"F32","shape":[250000000000],"data_offsets":[0,1000000000000]}}"#;
    assert_refused(&crafted(header, 8), "describes 1000000000000 bytes of tensors, but 8 are there");
}

#[test]
fn shapes_that_overflow_when_multiplied() {
    let header = r#"{"x":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}"#;
    assert_refused(&crafted(header, 0), "makes no sense");
}

#[test]
fn tensors_that_overlap_or_leave_gaps() {
    let pair = |from: usize, to: usize| {
        format!(
            r#"{{"a":{{"dtype":"F32","shape":[1],"data_offsets":[0,4]}},
                "b":{{"dtype":"F32","shape":[1],"data_offsets":[{from},{to}]}}}}"#
        )
    };
    assert_refused(&crafted(&pair(0, 4), 4), "makes no sense");
    assert_refused(&crafted(&pair(8, 12), 12), "makes no sense");
    assert_refused(&crafted(&pair(8, 4), 8), "makes no sense");
}

#[test]
fn another_type_is_named_with_its_tensor() {
    let header = r#"{"half":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}}"#;
    assert_refused(&crafted(header, 4), "tensor `half` has type F16");
}

#[test]
fn not_safetensors_at_all() {
    assert_refused(b"", "cut off");
    assert_refused(b"\x89PNG\r\n\x1a\n and more", "claims a header");
    assert_refused(&crafted("[1, 2, 3]", 0), "makes no sense");
}

#[test]
#[should_panic(expected = "two tensors are called x")]
fn two_tensors_of_one_name_are_our_own_mistake() {
    let (_folder, path, _) = sound();
    let tensor = NamedTensor { name: "x".into(), shape: vec![1], values: vec![1.0] };
    let _ = write_tensors(&path, &[tensor.clone(), tensor], &BTreeMap::new());
}
