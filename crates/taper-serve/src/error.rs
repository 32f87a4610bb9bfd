//! What keeps a server from starting or from going on.

/// Results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a server does not run. What a request does wrong is told to its client instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}{}", advice(source))]
    Listen {
        /// Host and port.
        address: String,
        /// Why.
        source: std::io::Error,
    },

    /// A model cannot be opened.
    #[error("model `{name}`: {source}")]
    Model {
        /// Its name.
        name: String,
        /// Why.
        source: Box<taper_train::Error>,
    },

    /// The device cannot be opened.
    #[error(transparent)]
    Device(Box<taper_train::Error>),

    /// No model was given, or two of one name.
    #[error("{0}")]
    Models(String),

    /// A limit that would leave no request answered.
    #[error("`{limit}` is 0; it is at least 1")]
    Limit {
        /// The field of [`Limits`](crate::Limits).
        limit: &'static str,
    },

    /// The system gives no thread or no timer.
    #[error("cannot start: {0}")]
    Start(std::io::Error),
}

fn advice(source: &std::io::Error) -> &'static str {
    match source.kind() {
        std::io::ErrorKind::AddrInUse => "; choose another port, or 0 for any that is free",
        std::io::ErrorKind::PermissionDenied => "; ports below 1024 are the system's",
        _ => "",
    }
}
