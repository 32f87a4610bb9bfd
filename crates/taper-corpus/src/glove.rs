//! Where the GloVe vectors lie; reading them is another crate's work.

use crate::hub::{HubFile, HubRepo};

/// `glove.6B.zip` of `stanfordnlp/glove`: 862,182,613 bytes, members `glove.6B.{50,100,200,300}d.txt`.
pub fn glove_6b() -> HubFile {
    HubFile {
        repo: HubRepo::Model("stanfordnlp/glove".to_owned()),
        revision: "main".to_owned(),
        path: "glove.6B.zip".to_owned(),
        sha256: Some("617afb2fe6cbd085c235baf7a465b96f4112bd7f7ccb2b2cbd649fed9cbcf2fb".to_owned()),
    }
}
