//! The server's keys, if the shop is given some; `kill -HUP` lets it read them again.

use tenure::SessionLayerBuilder;
#[cfg(feature = "keyring")]
use tenure::{KeyError, Keyring};

use crate::{data::Failure, options::Options};

#[cfg(feature = "keyring")]
pub(crate) fn with_keys(
    sessions: SessionLayerBuilder,
    options: &Options,
) -> Result<SessionLayerBuilder, Failure> {
    let Some(file) = &options.keys else {
        return match options.sealed {
            true => Err(NO_KEYS.into()),
            false => Ok(sessions),
        };
    };
    let keyring = Keyring::from_file(file)?;
    reload_when_told(keyring.clone(), file.clone());
    let sessions = sessions.with_keyring(keyring);
    Ok(match options.sealed {
        true => sessions.with_sealed_values(),
        false => sessions,
    })
}

#[cfg(not(feature = "keyring"))]
pub(crate) fn with_keys(
    sessions: SessionLayerBuilder,
    options: &Options,
) -> Result<SessionLayerBuilder, Failure> {
    match options.keys.is_some() || options.sealed {
        true => Err("keys need a feature; start the shop with `--features keyring`".into()),
        false => Ok(sessions),
    }
}

#[cfg(all(feature = "keyring", unix))]
fn reload_when_told(keyring: Keyring, file: String) {
    use tokio::signal::unix::{SignalKind, signal};

    tokio::spawn(async move {
        // Without a signal to wait for the keys stay as they are.
        let Ok(mut told) = signal(SignalKind::hangup()) else {
            return;
        };
        while told.recv().await.is_some() {
            match reload(&keyring, &file) {
                Ok(()) => println!("The keys were read again."),
                Err(error) => eprintln!("the keys stay as they are: {error}"),
            }
        }
    });
}

#[cfg(all(feature = "keyring", not(unix)))]
fn reload_when_told(_: Keyring, _: String) {}

#[cfg(all(feature = "keyring", unix))]
fn reload(keyring: &Keyring, file: &str) -> Result<(), KeyError> {
    keyring.replace(Keyring::from_file(file)?);
    Ok(())
}

#[cfg(feature = "keyring")]
const NO_KEYS: &str =
    "`--sealed` needs `--keys FILE`; `openssl rand -base64 32 > shop.keys` makes one";
