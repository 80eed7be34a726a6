//! A tokenizer.json by the crate tokenizers, for C++: c_interface.h declares and describes these functions.
//!
//! What panics inside is an error like any other, with the panic's message.

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};
use std::slice;
use std::str::{self, FromStr};
use std::sync::Once;

use tokenizers::Tokenizer;

#[repr(C)]
pub struct HfText {
    data: *mut u8,
    size: usize,
}

#[repr(C)]
pub struct HfIds {
    data: *mut u32,
    size: usize,
}

/// # Safety
/// `json` points to `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hf_tokenizer_open(
    json: *const u8,
    size: usize,
    error: &mut HfText,
) -> *mut Tokenizer {
    let json = unsafe { view(json, size) };
    match guard(|| open(json)) {
        Ok(tokenizer) => Box::into_raw(Box::new(tokenizer)),
        Err(reason) => {
            *error = text_of(reason);
            std::ptr::null_mut()
        }
    }
}

/// # Safety
/// `tokenizer` is null or from `hf_tokenizer_open`, and not used any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hf_tokenizer_close(tokenizer: *mut Tokenizer) {
    if !tokenizer.is_null() {
        drop(unsafe { Box::from_raw(tokenizer) });
    }
}

/// # Safety
/// `text` points to `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hf_tokenizer_encode(
    tokenizer: &Tokenizer,
    text: *const u8,
    size: usize,
    add_special_tokens: bool,
    ids: &mut HfIds,
    error: &mut HfText,
) -> bool {
    let text = unsafe { view(text, size) };
    match guard(|| encode(tokenizer, text, add_special_tokens)) {
        Ok(found) => {
            let (data, size) = give(found);
            *ids = HfIds { data, size };
            true
        }
        Err(reason) => {
            *error = text_of(reason);
            false
        }
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn hf_tokenizer_has(tokenizer: &Tokenizer, id: u32) -> bool {
    guard(|| Ok(tokenizer.id_to_token(id).is_some())).unwrap_or(false)
}

/// # Safety
/// `ids` points to `count` ids.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hf_tokenizer_decode(
    tokenizer: &Tokenizer,
    ids: *const u32,
    count: usize,
    text: &mut HfText,
    error: &mut HfText,
) -> bool {
    let ids = unsafe { view(ids, count) };
    match guard(|| tokenizer.decode(ids, true)) {
        Ok(decoded) => {
            *text = text_of(decoded);
            true
        }
        Err(reason) => {
            *error = text_of(reason);
            false
        }
    }
}

/// # Safety
/// `text` is zero or what one of these functions has set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hf_text_free(text: HfText) {
    unsafe { take_back(text.data, text.size) };
}

/// # Safety
/// `ids` is zero or what `hf_tokenizer_encode` has set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hf_ids_free(ids: HfIds) {
    unsafe { take_back(ids.data, ids.size) };
}

fn open(json: &[u8]) -> tokenizers::Result<Tokenizer> {
    let mut tokenizer = Tokenizer::from_str(str::from_utf8(json)?)?;
    // What a training run had set: prompts are neither cut nor filled up.
    tokenizer.with_truncation(None)?;
    tokenizer.with_padding(None);
    Ok(tokenizer)
}

fn encode(
    tokenizer: &Tokenizer,
    text: &[u8],
    add_special_tokens: bool,
) -> tokenizers::Result<Vec<u32>> {
    let text = str::from_utf8(text).map_err(|error| format!("the text is not UTF-8: {error}"))?;
    let encoding = tokenizer.encode(text, add_special_tokens)?;
    Ok(encoding.get_ids().to_vec())
}

/// What `call` returns; a panic in it as an error, and without a line on standard error.
fn guard<T>(call: impl FnOnce() -> tokenizers::Result<T>) -> Result<T, String> {
    static SILENCED: Once = Once::new();
    SILENCED.call_once(|| panic::set_hook(Box::new(|_| {})));
    match panic::catch_unwind(AssertUnwindSafe(call)) {
        Ok(outcome) => outcome.map_err(|error| error.to_string()),
        Err(payload) => Err(message_of(&*payload)),
    }
}

fn message_of(payload: &(dyn Any + Send)) -> String {
    let message = match payload.downcast_ref::<String>() {
        Some(message) => Some(message.as_str()),
        None => payload.downcast_ref::<&str>().copied(),
    };
    message.unwrap_or("unknown failure").to_string()
}

/// C++ may point nowhere for nothing.
unsafe fn view<'a, T>(data: *const T, size: usize) -> &'a [T] {
    if size == 0 {
        &[]
    } else {
        unsafe { slice::from_raw_parts(data, size) }
    }
}

fn text_of(text: String) -> HfText {
    let (data, size) = give(text.into_bytes());
    HfText { data, size }
}

/// Until `take_back`, nothing here owns the items.
fn give<T>(items: Vec<T>) -> (*mut T, usize) {
    let size = items.len();
    (Box::into_raw(items.into_boxed_slice()).cast(), size)
}

unsafe fn take_back<T>(data: *mut T, size: usize) {
    if !data.is_null() {
        drop(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(data, size)) });
    }
}
