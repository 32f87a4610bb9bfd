//! Tensors in safetensors files, under PyTorch's names.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::Path;

use candle_core::{Device, Tensor};
use safetensors::SafeTensors;
use safetensors::tensor::Dtype;

use crate::error::{Error, Result};

/// The types that tensors are read from.
const READ: [Dtype; 11] = [
    Dtype::F64,
    Dtype::F32,
    Dtype::F16,
    Dtype::BF16,
    Dtype::F8_E4M3,
    Dtype::I64,
    Dtype::I32,
    Dtype::I16,
    Dtype::U32,
    Dtype::U16,
    Dtype::U8,
];

/// Reads all tensors of a safetensors file to the CPU.
///
/// # Errors
/// If the file is missing, truncated, or not safetensors, or holds a tensor of a type that is not read.
pub fn load(path: &Path) -> Result<BTreeMap<String, Tensor>> {
    let bytes = std::fs::read(path).map_err(|source| Error::Io { path: path.into(), source })?;
    if let Some(problem) = of_another_type(&bytes) {
        return Err(Error::Weights { path: path.into(), problem });
    }
    let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu).map_err(|error| {
        Error::Weights {
            path: path.into(),
            problem: format!(
                "is not a whole safetensors file ({error}); found {} bytes",
                bytes.len()
            ),
        }
    })?;
    Ok(tensors.into_iter().collect())
}

/// What is wrong with the first tensor of a type that is not read, if there is one.
fn of_another_type(bytes: &[u8]) -> Option<String> {
    let tensors = SafeTensors::deserialize(bytes).ok()?;
    let others = tensors.iter().filter(|(_, tensor)| !READ.contains(&tensor.dtype()));
    let (name, tensor) = others.min_by(|(one, _), (other, _)| one.cmp(other))?;
    let read: Vec<String> = READ.iter().map(|dtype| format!("{dtype:?}")).collect();
    Some(format!(
        "holds {name} of type {:?}; the types that are read are {}",
        tensor.dtype(),
        read.join(", ")
    ))
}

/// Writes tensors to a safetensors file: a sibling temporary file, synced, then renamed, so that
/// the path holds either what it held before or all of the new tensors. A symbolic link stays, and what it leads to is
/// replaced; a device or a pipe is written to as it is.
pub fn save(tensors: &BTreeMap<String, Tensor>, path: &Path) -> Result<()> {
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let bytes = safetensors::serialize(tensors.iter(), Some(metadata)).map_err(|error| {
        Error::Weights { path: path.into(), problem: format!("cannot be encoded: {error}") }
    })?;
    write(path, &bytes).map_err(|source| Error::Io { path: path.into(), source })
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    match path.canonicalize() {
        Ok(end) if end.is_file() => write_atomically(&end, bytes),
        Err(_) if !path.is_symlink() => write_atomically(path, bytes),
        // A device, a pipe, a link to a file that is not there yet; a folder is refused.
        _ => std::fs::write(path, bytes),
    }
}

fn write_atomically(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".taper-");
    // For everyone the umask lets in: temporary files are private by default, and the file keeps its mode.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(directory)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::float_cmp)]
    use super::*;

    /// Whatever the umask, a file that is made in the usual way has the same mode.
    #[cfg(unix)]
    #[test]
    fn the_mode_is_that_of_any_other_file() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let [weights, other] = ["w", "o"].map(|name| directory.path().join(name));
        save(&BTreeMap::new(), &weights).unwrap();
        std::fs::write(&other, b"").unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode();
        assert_eq!(mode(&weights), mode(&other));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_and_a_device_is_written_through() {
        use std::os::unix::fs::{FileTypeExt, symlink};
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        std::fs::write(at("old"), b"old").unwrap();
        let tensors = BTreeMap::from([(
            "x".to_owned(),
            Tensor::zeros(1, candle_core::DType::F32, &Device::Cpu).unwrap(),
        )]);
        for end in ["old", "new"] {
            symlink(end, at("link")).unwrap();
            save(&tensors, &at("link")).unwrap();
            assert!(at("link").is_symlink() && load(&at(end)).unwrap().contains_key("x"), "{end}");
            std::fs::remove_file(at("link")).unwrap();
        }
        let pipe = at("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || std::fs::read(pipe).unwrap()
        });
        save(&tensors, &pipe).unwrap();
        assert!(pipe.symlink_metadata().unwrap().file_type().is_fifo());
        assert_eq!(reader.join().unwrap(), std::fs::read(at("new")).unwrap());
    }

    #[test]
    fn a_type_that_is_not_read_is_named_with_those_that_are() {
        use safetensors::tensor::TensorView;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("model.safetensors");
        let write = |dtype, shape| {
            let view = TensorView::new(dtype, shape, &[1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
            std::fs::write(&path, safetensors::serialize([("fc.weight", view)], None).unwrap())
        };
        for (dtype, name, shape) in [(Dtype::I8, "I8", vec![8]), (Dtype::F4, "F4", vec![16])] {
            write(dtype, shape).unwrap();
            let error = load(&path).unwrap_err().to_string();
            assert!(error.contains("model.safetensors: holds fc.weight of type"), "{error}");
            assert!(error.contains(&format!("{name};")) && error.contains("F32, F16"), "{error}");
        }
        for dtype in READ {
            let elements = 64 / dtype.bitsize();
            write(dtype, vec![elements]).unwrap();
            assert_eq!(load(&path).unwrap()["fc.weight"].elem_count(), elements, "{dtype:?}");
        }
    }

    #[test]
    fn a_truncated_file_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("model.safetensors");
        let tensor = Tensor::arange(0f32, 10.0, &Device::Cpu).unwrap();
        save(&BTreeMap::from([("x".to_owned(), tensor)]), &path).unwrap();
        assert_eq!(load(&path).unwrap()["x"].to_vec1::<f32>().unwrap()[9], 9.0);
        let bytes = std::fs::read(&path).unwrap();
        for end in [0, 7, 20, bytes.len() - 1] {
            std::fs::write(&path, &bytes[..end]).unwrap();
            let error = load(&path).unwrap_err().to_string();
            assert!(error.contains("model.safetensors"), "{error}");
        }
    }
}
