use std::fs::{self, create_dir_all};
use std::path::PathBuf;

use image::{GrayImage, ImageBuffer, ImageFormat, Luma, LumaA, Rgb, RgbImage, Rgba, RgbaImage};
use tempfile::TempDir;

use super::super::options::Colour;
use super::super::origin::Part;
use super::super::split::Element;
use super::*;

/// A folder for pictures, written by name.
struct Folder(TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        let path = self.0.path().join(name);
        create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    fn grey(&self, name: &str, width: u32, height: u32, value: u8) {
        GrayImage::from_pixel(width, height, image::Luma([value])).save(self.path(name)).unwrap();
    }

    fn read(&self, options: &ReadOptions) -> Result<Parts> {
        open(self.0.path().to_str().unwrap(), options, &|_| {})
    }

    /// The bytes of the training part.
    fn bytes(&self, options: &ReadOptions) -> Vec<u8> {
        bytes(&self.read(options).unwrap().train)
    }
}

fn bytes(split: &Split) -> Vec<u8> {
    split.x(0..split.count).unwrap().iter().map(|x| (255.0 * x).round() as u8).collect()
}

fn bytes_of(parts: &Parts) -> Vec<u8> {
    bytes(&parts.train)
}

fn size(text: &str) -> ReadOptions {
    ReadOptions { image_size: Some(text.parse().unwrap()), ..ReadOptions::default() }
}

fn coloured(colour: Colour) -> ReadOptions {
    ReadOptions { colour: Some(colour), ..ReadOptions::default() }
}

#[test]
fn every_format_gives_the_same_pixels() {
    let pixels = RgbImage::from_fn(16, 16, |x, y| Rgb([16 * (x as u8 / 8), 200, 100 * (y as u8 / 8)]));
    for (name, format, tolerance) in [
        ("a.png", ImageFormat::Png, 0),
        ("a.bmp", ImageFormat::Bmp, 0),
        ("a.tiff", ImageFormat::Tiff, 0),
        ("a.webp", ImageFormat::WebP, 0),
        ("a.JPG", ImageFormat::Jpeg, 12),
    ] {
        let folder = Folder::new();
        pixels.save_with_format(folder.path(name), format).unwrap();
        let parts = folder.read(&ReadOptions::default()).unwrap();
        assert_eq!(parts.shape, Shape { width: 16, height: 16, channels: 3 });
        let got = bytes(&parts.train);
        let worst = got.iter().zip(pixels.as_raw()).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(worst <= Some(tolerance), "{name}: {worst:?}");
    }
}

#[test]
fn sub_folders_are_labels_in_sorted_order() {
    let folder = Folder::new();
    folder.grey("dogs/old/b.png", 2, 2, 3);
    folder.grey("dogs/a.png", 2, 2, 2);
    folder.grey("cats/z.png", 2, 2, 1);
    folder.grey(".hidden/x.png", 2, 2, 9);
    let parts = folder.read(&ReadOptions::default()).unwrap();
    assert_eq!(parts.classes, ["cats", "dogs"]);
    assert_eq!(parts.train.labels.as_deref(), Some(&[0, 1, 1][..]));
    assert_eq!(bytes(&parts.train), [1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3]);
    // One without a label leaves the others theirs.
    folder.grey("0.png", 2, 2, 9);
    let parts = folder.read(&ReadOptions::default()).unwrap();
    assert_eq!(parts.classes, ["cats", "dogs", "unlabelled"]);
    assert_eq!(parts.train.labels.as_deref(), Some(&[2, 0, 1, 1][..]));
    assert!(parts.warnings[0].ends_with(": 0.png"), "{:?}", parts.warnings);
}

#[test]
fn numbered_files_and_classes_come_in_the_order_of_their_numbers_and_keep_their_names() {
    let folder = Folder::new();
    for (class, value) in [("10", 4), ("9", 2), ("2", 1)] {
        folder.grey(&format!("{class}/a.png"), 1, 1, value);
    }
    folder.grey("9/img10.png", 1, 1, 30);
    folder.grey("9/img9.png", 1, 1, 3);
    fs::write(folder.path("9/b.png"), "no picture").unwrap();
    let parts = folder.read(&ReadOptions::default()).unwrap();
    assert_eq!(
        (parts.classes, bytes(&parts.train)),
        (["2", "9", "10"].map(str::to_owned).into(), vec![1, 2, 3, 30, 4])
    );
    assert_eq!(parts.train.labels.as_deref(), Some(&[0, 1, 1, 1, 2][..]));
    // Rows that are picked keep their names, and what cannot be read shifts none.
    let few = parts.train.select(&[4, 2, 3]);
    let names: Vec<String> = (0..3).map(|row| few.origin(row).to_string()).collect();
    assert_eq!(names, ["10/a.png", "9/img9.png", "9/img10.png"]);
    let [unread] = &parts.unread[..] else { panic!("{:?}", parts.unread) };
    assert_eq!((unread.file.as_str(), unread.part), ("9/b.png", None));
    assert!(!unread.reason.is_empty() && !unread.reason.contains('\n'), "{unread:?}");
}

#[test]
fn folders_called_train_val_and_test_are_the_parts() {
    let folder = Folder::new();
    folder.grey("train/cats/a.png", 1, 1, 1);
    folder.grey("train/dogs/a.png", 1, 1, 2);
    folder.grey("test/dogs/a.png", 1, 1, 3);
    folder.grey("val/dogs/a.png", 1, 1, 4);
    fs::write(folder.path("val/dogs/b.png"), "no picture").unwrap();
    let parts = folder.read(&ReadOptions::default()).unwrap();
    let (valid, test) = (parts.valid.unwrap(), parts.test.unwrap());
    assert_eq!((parts.train.count, bytes(&valid), bytes(&test)), (2, vec![4], vec![3]));
    assert_eq!((valid.labels.as_deref(), parts.unread[0].part), (Some(&[1][..]), Some(Part::Valid)));
    fs::remove_dir_all(folder.path("train")).unwrap();
    fs::write(folder.path("train/cats/a.png"), "no picture").unwrap();
    folder.grey("test/dogs/c.png", 1, 1, 3);
    let message = folder.read(&ReadOptions::default()).unwrap_err().to_string();
    assert!(message.contains("no picture of its training part can be read"), "{message}");
    assert_eq!(parts.classes, ["cats", "dogs"]);
    assert_eq!((parts.train.labels.as_deref(), test.labels.as_deref()), (Some(&[0, 1][..]), Some(&[1][..])));
}

#[test]
fn pictures_are_resized_in_their_shape() {
    let folder = Folder::new();
    // White in more than the middle third, which is the part that a square picture shows.
    let wide = GrayImage::from_fn(90, 30, |x, _| image::Luma([if (20..70).contains(&x) { 255 } else { 0 }]));
    wide.save(folder.path("a.png")).unwrap();
    folder.grey("b.png", 2, 2, 100);
    assert_eq!(folder.bytes(&size("10x10"))[..100], [255; 100]);
    assert_eq!(folder.bytes(&size("10x10"))[100..], [100; 100]);
    let error = folder.read(&ReadOptions::default()).err().unwrap();
    assert_eq!(error.exit_code(), 2);
    let message = error.to_string();
    assert!(message.contains("b.png is 2x2, but ") && message.contains("a.png is 90x30: give"), "{message}");
}

#[test]
fn colour_follows_the_first_picture_or_the_flag() {
    let folder = Folder::new();
    folder.grey("a.png", 1, 1, 7);
    RgbImage::from_pixel(1, 1, Rgb([255, 0, 0])).save(folder.path("b.png")).unwrap();
    let parts = folder.read(&ReadOptions::default()).unwrap();
    assert_eq!((parts.shape.channels, bytes(&parts.train)), (1, vec![7, 54]));
    assert!(parts.warnings[0].starts_with("1 picture in colour is read as grey"), "{:?}", parts.warnings);
    assert_eq!(folder.bytes(&coloured(Colour::Colour)), [7, 7, 7, 255, 0, 0]);
    assert!(folder.read(&coloured(Colour::Grey)).unwrap().warnings.is_empty());
}

#[test]
fn what_is_transparent_is_black() {
    let folder = Folder::new();
    let pixels = [Rgba([255, 255, 255, 0]), Rgba([200, 100, 0, 255]), Rgba([255, 255, 255, 128])];
    RgbaImage::from_fn(3, 1, |x, _| pixels[x as usize]).save(folder.path("a.png")).unwrap();
    assert_eq!(folder.bytes(&ReadOptions::default()), [0, 0, 0, 200, 100, 0, 128, 128, 128]);
    let grey = Folder::new();
    image::GrayAlphaImage::from_pixel(1, 1, LumaA([255, 0])).save(grey.path("a.png")).unwrap();
    assert_eq!(grey.bytes(&ReadOptions::default()), [0]);
}

#[test]
fn sixteen_bits_are_kept() {
    let folder = Folder::new();
    let deep = |value: u16| ImageBuffer::<Luma<u16>, _>::from_pixel(1, 1, Luma([value]));
    folder.grey("1.png", 1, 1, 51);
    deep(0x8040).save(folder.path("2.png")).unwrap();
    deep(1).save(folder.path("3.tif")).unwrap();
    ImageBuffer::<image::Rgba<u16>, _>::from_pixel(1, 1, Rgba([u16::MAX, 0, 0, 0x8000]))
        .save(folder.path("4.png"))
        .unwrap();
    // Even where the first one has eight.
    let parts = folder.read(&coloured(Colour::Grey)).unwrap();
    assert_eq!(parts.train.element(), Element::Floats);
    let x = parts.train.x(0..3).unwrap();
    assert_eq!(x, [0.2, f32::from(0x8040u16) / 65535.0, 1.0 / 65535.0]);
    assert!(parts.notes[0].contains("more than 8 bits"), "{:?}", parts.notes);
    let parts = folder.read(&coloured(Colour::Colour)).unwrap();
    assert_eq!(parts.train.x([3]).unwrap(), [f32::from(0x8000u16) / 65535.0, 0.0, 0.0]);
    let one = read_one(&folder.path("2.png"), Shape { width: 1, height: 1, channels: 1 }).unwrap();
    assert_eq!(one, [f32::from(0x8040u16) / 65535.0]);
}

/// A TIFF of these pages of 2x1 floats.
fn tiff_of_floats(path: &Path, pages: &[[f32; 2]]) {
    use tiff::encoder::{TiffEncoder, colortype::Gray32Float};
    let mut encoder = TiffEncoder::new(fs::File::create(path).unwrap()).unwrap();
    for page in pages {
        encoder.write_image::<Gray32Float>(2, 1, page).unwrap();
    }
}

#[test]
fn every_page_of_a_tiff_is_a_picture() {
    use tiff::encoder::{TiffEncoder, colortype::Gray8};
    use tiff::tags::Tag;
    let folder = Folder::new();
    for big in [false, true] {
        let mut bytes = std::io::Cursor::new(Vec::new());
        fn write<W: std::io::Write + std::io::Seek, K: tiff::encoder::TiffKind>(
            mut encoder: TiffEncoder<W, K>,
        ) {
            for page in 1..=3u8 {
                encoder.write_image::<Gray8>(2, 1, &[page, 10 * page]).unwrap();
                // A preview is no page.
                let mut preview = encoder.new_image::<Gray8>(1, 1).unwrap();
                preview.encoder().write_tag(Tag::NewSubfileType, 1u32).unwrap();
                preview.write_data(&[99]).unwrap();
            }
        }
        match big {
            false => write(TiffEncoder::new(&mut bytes).unwrap()),
            true => write(TiffEncoder::new_big(&mut bytes).unwrap()),
        }
        fs::write(folder.path("a.tif"), bytes.into_inner()).unwrap();
        let parts = folder.read(&ReadOptions::default()).unwrap();
        assert_eq!(bytes_of(&parts), [1, 10, 2, 20, 3, 30]);
        assert_eq!(parts.train.origin(2).to_string(), "a.tif#3");
        assert_eq!(parts.notes, ["a file of several pages: each of the 3 pages is a picture"]);
        // The file by itself is a source too.
        let path = folder.path("a.tif");
        assert!(detect(path.to_str().unwrap()));
        let parts = open(path.to_str().unwrap(), &ReadOptions::default(), &|_| {}).unwrap();
        assert_eq!((parts.train.count, parts.name.as_str()), (3, "a"));
    }
}

#[test]
fn a_page_of_another_size_is_named_by_its_number() {
    use tiff::encoder::{TiffEncoder, colortype::Gray8};
    let folder = Folder::new();
    let mut encoder = TiffEncoder::new(fs::File::create(folder.path("a.tif")).unwrap()).unwrap();
    for width in [2, 2, 1] {
        encoder.write_image::<Gray8>(width, 1, &vec![7; width as usize]).unwrap();
    }
    let why = folder.read(&ReadOptions::default()).unwrap_err().to_string();
    assert!(why.contains("a.tif#3 is 1x1, but ") && why.contains("a.tif#1 is 2x1"), "{why}");
}

#[test]
fn floats_of_a_tiff_keep_their_values_whatever_their_size() {
    let folder = Folder::new();
    tiff_of_floats(&folder.path("a.tif"), &[[-5.0, 1000.0], [0.25, 3e-7]]);
    let parts = folder.read(&ReadOptions::default()).unwrap();
    assert_eq!(parts.shape, Shape { width: 2, height: 1, channels: 1 });
    assert_eq!(parts.train.x(0..2).unwrap(), [-5.0, 1000.0, 0.25, 3e-7]);
    // Resizing clips none of them.
    let x = folder.read(&size("4x2")).unwrap().train.x([0]).unwrap();
    assert!(x.len() == 8 && x[0] < 100.0 && x[3] > 900.0, "{x:?}");
}

#[test]
fn a_damaged_page_leaves_the_others() {
    let folder = Folder::new();
    tiff_of_floats(&folder.path("a.tif"), &[[1.0, 2.0], [3.0, 4.0]]);
    let whole = fs::read(folder.path("a.tif")).unwrap();
    for cut in 8..whole.len() {
        fs::write(folder.path("a.tif"), &whole[..cut]).unwrap();
        if let Ok(parts) = folder.read(&ReadOptions::default()) {
            assert!(parts.train.count <= 2);
        }
    }
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0xff;
        fs::write(folder.path("a.tif"), &damaged).unwrap();
        let _ = folder.read(&ReadOptions::default());
    }
}

#[test]
fn gif_and_netpbm_are_read_and_other_files_are_named() {
    let folder = Folder::new();
    let mut encoder = image::codecs::gif::GifEncoder::new(fs::File::create(folder.path("b.gif")).unwrap());
    for value in [255, 0] {
        encoder.encode(&[value; 6], 2, 1, image::ExtendedColorType::Rgb8).unwrap();
    }
    drop(encoder);
    fs::write(folder.path("a.pgm"), b"P5 2 1 255\n\x07\x09").unwrap();
    fs::write(folder.path("c"), fs::read(folder.path("a.pgm")).unwrap()).unwrap();
    for name in ["d.heic", "notes.txt", "Thumbs.db", "sub/labels.csv", ".DS_Store", "__MACOSX/._a.png"] {
        fs::write(folder.path(name), "x").unwrap();
    }
    let parts = folder.read(&ReadOptions::default()).unwrap();
    assert_eq!(bytes_of(&parts), [7, 9, 255, 255, 7, 9]);
    assert!(parts.notes[0].starts_with("1 GIF"), "{:?}", parts.notes);
    let warning = &parts.warnings[0];
    assert!(
        warning.starts_with(
            "3 files are in no format of pictures that is read: d.heic, notes.txt, sub/labels.csv;"
        ) && warning.ends_with("convert pictures to png or jpeg"),
        "{warning}"
    );
}

#[test]
fn why_a_picture_cannot_be_read_takes_one_line() {
    let folder = Folder::new();
    folder.grey("good.png", 1, 1, 5);
    for (name, bytes, why) in [
        ("a.jpg", &b"\0\0\0\x18ftypheic\0\0"[..], "it is HEIC"),
        ("b.jpg", b"\0\0\0\x18ftypavif\0\0", "it is AVIF"),
        ("c.png", b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        ("d.jpg", b"\n<html>", "page of the web"),
        ("e.png", b"", "empty"),
        ("f.jpg", b"\xff\xd8\xff\xe0\0\x10JFIF\0", ""),
        ("g.webp", b"RIFF\0\0\0\0WEBPVP8 ", ""),
        ("h.tif", b"II*\0\x08\0\0\0", ""),
        ("i.gif", b"GIF89a\x01", ""),
        ("j.bmp", b"BM\0\0", ""),
        ("k.pgm", b"P5 x\n", ""),
    ] {
        fs::write(folder.path(name), bytes).unwrap();
        let parts = folder.read(&ReadOptions::default()).unwrap();
        let [unread] = &parts.unread[..] else { panic!("{name}: {:?}", parts.unread) };
        assert!(unread.reason.contains(why) && !unread.reason.contains('\n'), "{name}: {}", unread.reason);
        assert!(!parts.warnings[0].contains('\n'), "{name}: {:?}", parts.warnings);
        fs::remove_file(folder.path(name)).unwrap();
    }
}

#[test]
fn files_that_cannot_be_read_are_counted_and_named() {
    let folder = Folder::new();
    for name in 0..7 {
        fs::write(folder.path(&format!("bad{name}.png")), "no picture").unwrap();
    }
    let message = folder.read(&ReadOptions::default()).err().unwrap().to_string();
    assert!(message.contains("none of 7 pictures can be read"), "{message}");
    folder.grey("good.png", 1, 1, 5);
    folder.grey("cut.png", 9, 9, 5);
    let whole = fs::read(folder.path("cut.png")).unwrap();
    fs::write(folder.path("cut.png"), &whole[..40]).unwrap();
    fs::write(folder.path("empty.png"), "").unwrap();
    let parts = folder.read(&ReadOptions::default()).unwrap();
    assert_eq!((parts.train.count, bytes(&parts.train)), (1, vec![5]));
    let warning = &parts.warnings[0];
    assert!(
        warning.starts_with("9 of 10 pictures cannot be read: ") && warning.contains("bad4.png ("),
        "{warning}"
    );
    assert!(warning.ends_with(" and 4 more"), "{warning}");
}

#[test]
fn a_picture_that_claims_a_huge_size_is_not_unpacked() {
    let folder = Folder::new();
    folder.grey("a.png", 1, 1, 5);
    let mut png = fs::read(folder.path("a.png")).unwrap();
    // Width and height in IHDR, with a corrected checksum.
    png[16..24].copy_from_slice(&[0, 0, 0x7f, 0xff, 0, 0, 0x7f, 0xff]);
    let mut crc = flate2::Crc::new();
    crc.update(&png[12..29]);
    png[29..33].copy_from_slice(&crc.sum().to_be_bytes());
    fs::write(folder.path("bomb.png"), png).unwrap();
    let parts = folder.read(&ReadOptions::default()).unwrap();
    assert!(parts.warnings[0].contains("bomb.png ("), "{:?}", parts.warnings);
}

#[test]
fn more_pixels_than_memory_is_misuse() {
    let folder = Folder::new();
    for name in 0..200 {
        folder.grey(&format!("{name}.png"), 1, 1, 5);
    }
    let error =
        folder.read(&ReadOptions { colour: Some(Colour::Colour), ..size("4096x4096") }).err().unwrap();
    assert!(error.exit_code() == 2 && error.to_string().contains("`source.image_size`"), "{error}");
}

#[test]
fn a_folder_of_other_files_is_not_a_folder_of_pictures() {
    let folder = Folder::new();
    fs::write(folder.path("a.txt"), "x").unwrap();
    assert!(!detect(folder.0.path().to_str().unwrap()) && !detect("") && !detect("/no/such/folder"));
    assert!(folder.read(&ReadOptions::default()).err().unwrap().to_string().contains("no picture in it"));
    folder.grey("deep/er/a.jpeg.png", 1, 1, 5);
    assert!(detect(folder.0.path().to_str().unwrap()));
}

#[cfg(unix)]
#[test]
fn links_are_followed_once_and_odd_names_are_names() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;
    let (folder, elsewhere) = (Folder::new(), Folder::new());
    folder.grey("cats/a.png", 1, 1, 1);
    symlink(folder.0.path(), folder.path("cats/loop")).unwrap();
    symlink("self", folder.path("self")).unwrap();
    symlink("/no/such/picture.png", folder.path("cats/gone.png")).unwrap();
    elsewhere.grey("b.png", 1, 1, 2);
    symlink(elsewhere.0.path(), folder.path("dogs")).unwrap();
    let odd = folder.0.path().join(OsStr::from_bytes(b"\xff\xfe"));
    create_dir_all(&odd).unwrap();
    GrayImage::from_pixel(1, 1, image::Luma([3])).save(odd.join(OsStr::from_bytes(b"\xff.png"))).unwrap();
    fs::create_dir(folder.path("cats/folder.png")).unwrap();

    let parts = folder.read(&ReadOptions::default()).unwrap();
    assert_eq!(bytes(&parts.train), [1, 2, 3]);
    assert_eq!(parts.classes, ["cats", "dogs", "\u{fffd}\u{fffd}"]);
    assert!(
        parts.warnings[0].starts_with("1 of 4 pictures cannot be read")
            && parts.warnings[0].contains("gone.png")
    );
}

#[test]
fn a_tiff_of_a_kind_that_is_not_read_says_what_helps() {
    let folder = Folder::new();
    folder.grey("sound.png", 2, 2, 9);
    RgbImage::from_pixel(2, 2, Rgb([1, 2, 3])).save(folder.path("a.tif")).unwrap();
    let sound = fs::read(folder.path("a.tif")).unwrap();
    // The tag that says what the numbers are: red, green and blue.
    let tag = [0x06, 0x01, 0x03, 0x00, 0x01, 0x00, 0x00, 0x00, 0x02, 0x00];
    let at = sound.windows(tag.len()).position(|bytes| bytes == tag).unwrap() + 8;
    for (number, words) in
        [(3, "a TIFF with a palette"), (6, "a TIFF with"), (8, "a TIFF with colours in CIELab")]
    {
        let mut other = sound.clone();
        other[at] = number;
        fs::write(folder.path("a.tif"), other).unwrap();
        let warnings = folder.read(&ReadOptions::default()).unwrap().warnings;
        let told = |words: &str| warnings[0].contains(words);
        assert!(told(words) && told("which is not read: convert it to png"), "{number}: {warnings:?}");
    }
}
