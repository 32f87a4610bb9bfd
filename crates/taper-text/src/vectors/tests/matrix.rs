//! Matrices in safetensors files.

use super::*;

#[test]
fn a_matrix_must_fit_its_words() {
    let folder = Folder::new();
    let good = matrix("embeddings", [2, 3], &[1.0; 6], Some("[\"a\", \"b\"]"));
    assert_eq!(read(&folder.file("good.safetensors", &good), None).unwrap().len(), 2);
    let mut cut_header = good.clone();
    cut_header[10] = b'#';
    let two = {
        let bytes = [0; 4];
        let view = |_| {
            let shape = vec![1, 1];
            safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape, &bytes).unwrap()
        };
        safetensors::serialize([("x", view(0)), ("y", view(1))], None).unwrap()
    };
    for (file, bytes, expected) in [
        ("short", good[..good.len() - 1].to_vec(), "is it truncated?"),
        ("shorter", good[..20].to_vec(), "a safetensors header of"),
        ("damaged", cut_header, "a safetensors header that does not hold"),
        ("two", two, "the tensors x, y; expected one called `embeddings`"),
        (
            "wide",
            matrix("e", [2, 4], &[1.0; 8], Some("[]")),
            "`e` as F32 [2, 4]; expected [rows, 3] as F32, F16, BF16 or F64",
        ),
        (
            "NaN",
            matrix("e", [1, 3], &[0.0, f32::NAN, 0.0], Some("[\"a\"]")),
            "row 1: field 2 is `NaN`",
        ),
        (
            "fewer words",
            matrix("e", [2, 3], &[1.0; 6], Some("[\"a\"]")),
            "1 words in its metadata and `e` of shape [2, 3]; expected a word for each row",
        ),
        (
            "no list",
            matrix("e", [1, 3], &[1.0; 3], Some("a b")),
            "expected a JSON array of strings",
        ),
        ("no words", matrix("e", [1, 3], &[1.0; 3], None), "expected `words` in its metadata"),
    ] {
        let message = read(&folder.file(file, bytes), None).unwrap_err().to_string();
        assert!(message.contains(expected) && message.contains(file), "{file}: {message}");
    }
    let path = folder.file("beside.safetensors", matrix("e", [2, 3], &[1.0; 6], None));
    assert_eq!(words_beside(&path).unwrap(), None);
    let words = folder.file("words.txt", "a\nb\nc\n");
    assert_eq!(words_beside(&path).unwrap(), Some(words));
    let message = read(&path, None).unwrap_err().to_string();
    assert!(message.contains("3 words in words.txt"), "{message}");
    folder.file("words.txt", "\u{feff}a\r\nb\r\n");
    assert_eq!(read(&path, None).unwrap().get("b"), Some(&[1.0; 3][..]));
}

#[test]
fn a_matrix_may_have_wider_or_narrower_numbers() {
    use safetensors::Dtype::{BF16, F16, F64, I32};
    let folder = Folder::new();
    let typed = |dtype, bytes: Vec<u8>| {
        let view = safetensors::tensor::TensorView::new(dtype, vec![2, 3], &bytes).unwrap();
        let words = [("words".to_owned(), r#"["a","b"]"#.to_owned())].into();
        let file = safetensors::serialize([("embeddings", view)], Some(words)).unwrap();
        read(&folder.file(&format!("{dtype:?}"), file), None)
    };
    let halves = |bits: [u16; 6]| bits.into_iter().flat_map(u16::to_le_bytes).collect();
    let doubles =
        |numbers: [f64; 6]| numbers.into_iter().flat_map(f64::to_le_bytes).collect::<Vec<_>>();
    let tiny = 2f32.powi(-24);
    for (dtype, bytes, a, b) in [
        (
            F16,
            halves([0x3c00, 0xc000, 0x0001, 0x3800, 0x7bff, 0x8000]),
            [1.0, -2.0, tiny],
            [0.5, 65504.0, -0.0],
        ),
        (
            BF16,
            halves([0x3f80, 0xc000, 0x3380, 0x3f00, 0x477f, 0x8000]),
            [1.0, -2.0, tiny],
            [0.5, 65280.0, -0.0],
        ),
        (F64, doubles([1.0, -2.0, 0.1, 0.5, 1e-60, -0.0]), [1.0, -2.0, 0.1], [0.5, 0.0, -0.0]),
    ] {
        let vectors = typed(dtype, bytes).unwrap();
        assert_eq!((vectors.get("a"), vectors.get("b")), (Some(&a[..]), Some(&b[..])), "{dtype:?}");
    }
    let message = typed(F64, doubles([0.0, 1e39, 0.0, 0.0, 0.0, 0.0])).unwrap_err().to_string();
    assert!(message.contains("row 1: field 2 is `inf`"), "{message}");
    let message = typed(F16, halves([0x7e00; 6])).unwrap_err().to_string();
    assert!(message.contains("row 1: field 1 is `NaN`"), "{message}");
    let message = typed(I32, vec![0; 24]).unwrap_err().to_string();
    assert!(message.contains("`embeddings` as I32 [2, 3]; expected [rows, 3] as F32"), "{message}");
}
