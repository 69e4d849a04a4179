// The compiler refuses a constant key that no session would take.
use tenure::SessionKey;

const NOTHING: SessionKey<u32> = SessionKey::new("");

fn main() {
    let _ = NOTHING;
}
