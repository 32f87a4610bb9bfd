//! The aclImdb archive: names, and what is hostile.

use std::io::Read as _;

use super::*;

type Tar = tar::Builder<GzEncoder<Vec<u8>>>;

fn packed(add: impl Fn(&mut Tar)) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::best()));
    add(&mut tar);
    tar.into_inner().unwrap().finish().unwrap()
}

#[test]
fn paths_that_lead_out_links_and_bombs_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let with = |add: &dyn Fn(&mut Tar)| message(&archive(&dir, &packed(add)));
    let header = |size: u64, kind: tar::EntryType, name: &str| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(size);
        // `set_path` would refuse what is tested here.
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        header
    };
    for name in ["../../train/pos/0_9.txt", "/train/pos/0_9.txt", "aclImdb/train/../pos/0_9.txt"] {
        let header = header(1, tar::EntryType::Regular, name);
        let message = with(&|tar| tar.append(&header, &b"x"[..]).unwrap());
        assert!(message.contains(name) && message.contains("leads out"), "{message}");
    }
    for kind in [tar::EntryType::Symlink, tar::EntryType::Link, tar::EntryType::GNUSparse] {
        let mut header = header(0, kind, "aclImdb/train/pos/0_9.txt");
        header.set_link_name("/etc/passwd").unwrap();
        header.set_cksum();
        let message = with(&|tar| tar.append(&header, &b""[..]).unwrap());
        assert!(message.contains("0_9.txt: a link"), "{message}");
    }
    let large = header(1 << 40, tar::EntryType::Regular, "aclImdb/train/pos/0_9.txt");
    let message = with(&|tar| tar.append(&large, std::io::repeat(b'x').take(1 << 20)).unwrap());
    assert!(message.contains("0_9.txt holds more than 16777216 bytes"), "{message}");
    for kind in [tar::EntryType::GNULongName, tar::EntryType::XHeader] {
        let endless = header(1 << 20, kind, "././@LongLink");
        let message =
            with(&|tar| tar.append(&endless, std::io::repeat(b'x').take(1 << 20)).unwrap());
        assert!(message.contains("followed by a name or properties of 1048576 bytes"), "{message}");
    }
    let zeros = header(100 << 20, tar::EntryType::Regular, "aclImdb/train/labeledBow.feat");
    let message = with(&|tar| {
        let review = header(1, tar::EntryType::Regular, "aclImdb/train/pos/0_9.txt");
        tar.append(&review, &b"x"[..]).unwrap();
        tar.append(&zeros, std::io::repeat(0).take(100 << 20)).unwrap();
    });
    assert!(message.contains("reviews.tar.gz unpacks to more than 67108864 bytes"), "{message}");
}

#[test]
fn long_names_are_read_as_gnu_and_posix_write_them() {
    let dir = tempfile::tempdir().unwrap();
    let expected = collect(&archive(&dir, &pack(&tree()))).unwrap();
    let root = "r".repeat(150);
    let gnu = packed(|tar| {
        for (name, bytes) in tree() {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            tar.append_data(&mut header, format!("{root}/{name}"), bytes.as_slice()).unwrap();
        }
    });
    let posix = packed(|tar| {
        for (number, (name, bytes)) in tree().into_iter().enumerate() {
            let path = format!("{root}/{name}");
            let properties = [("mtime", b"1.5".as_slice()), ("path", path.as_bytes())];
            tar.append_pax_extensions(properties).unwrap();
            let mut header = tar::Header::new_ustar();
            header.set_size(bytes.len() as u64);
            tar.append_data(&mut header, format!("short/{number}"), bytes.as_slice()).unwrap();
        }
    });
    for bytes in [gnu, posix] {
        assert_eq!(collect(&archive(&dir, &bytes)).unwrap(), expected);
    }
}
