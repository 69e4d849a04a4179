//! The server's keys, if the shop is given some; `kill -HUP` lets it read them again.

#[cfg(feature = "keyring")]
use tenure::Keyring;
use tenure::SessionLayerBuilder;

#[cfg(all(feature = "keyring", unix))]
use crate::in_one_line;
use crate::{data::Failure, options::Options};

/// What the layers of the shop have in common: what is made for one of them is nothing in another all the same.
#[cfg(feature = "keyring")]
pub(crate) struct Keys {
    keyring: Option<Keyring>,
    sealed: bool,
}

#[cfg(feature = "keyring")]
impl Keys {
    pub(crate) fn read(options: &Options) -> Result<Self, Failure> {
        if options.sealed && options.keys.is_none() {
            return Err(NO_KEYS.into());
        }
        let keyring = options.keys.as_ref().map(Keyring::from_file).transpose()?;
        if let (Some(keyring), Some(file)) = (&keyring, &options.keys) {
            reload_when_told(keyring.clone(), file.clone());
        }
        Ok(Self {
            keyring,
            sealed: options.sealed,
        })
    }

    pub(crate) fn given_to<L: 'static>(
        &self,
        layer: SessionLayerBuilder<L>,
    ) -> SessionLayerBuilder<L> {
        match &self.keyring {
            Some(keyring) if self.sealed => {
                layer.with_keyring(keyring.clone()).with_sealed_values()
            }
            Some(keyring) => layer.with_keyring(keyring.clone()),
            None => layer,
        }
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
                Err(error) => eprintln!("the keys stay as they are: {}", in_one_line(&error)),
            }
        }
    });
}

#[cfg(all(feature = "keyring", not(unix)))]
fn reload_when_told(_: Keyring, _: String) {}

#[cfg(all(feature = "keyring", unix))]
fn reload(keyring: &Keyring, file: &str) -> Result<(), Failure> {
    keyring.replace(Keyring::from_file(file)?);
    Ok(())
}

#[cfg(feature = "keyring")]
const NO_KEYS: &str =
    "`--sealed` needs `--keys FILE`; `openssl rand -base64 32 > shop.keys` makes one";

#[cfg(not(feature = "keyring"))]
pub(crate) struct Keys;

#[cfg(not(feature = "keyring"))]
impl Keys {
    pub(crate) fn read(options: &Options) -> Result<Self, Failure> {
        match options.keys.is_some() || options.sealed {
            true => Err("keys need a feature; start the shop with `--features keyring`".into()),
            false => Ok(Self),
        }
    }

    pub(crate) fn given_to<L>(&self, layer: SessionLayerBuilder<L>) -> SessionLayerBuilder<L> {
        let Self = self;
        layer
    }
}
