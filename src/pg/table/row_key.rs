//! Rows as people name them: by their primary key.

use core::ffi::CStr;
use std::ffi::CString;

use pgrx::pg_sys::{self, Oid};

use super::{OwnTable, Row, column};
use crate::pg::sealed_types::holds_sealed;

/// A column of a primary key: its name, number and type.
type KeyPart = (CString, pg_sys::AttrNumber, Oid);

/// The columns of a table's primary key: names, numbers and types. Not those of sealed values, which say nothing to anybody.
pub fn primary_key(table: &OwnTable) -> Vec<KeyPart> {
    // SAFETY: an open relation; the set is a copy in the memory of the call.
    unsafe {
        let columns = pg_sys::RelationGetIndexAttrBitmap(
            table.relation(),
            pg_sys::IndexAttrBitmapKind::INDEX_ATTR_BITMAP_PRIMARY_KEY,
        );
        column::named(table.columns())
            .into_iter()
            .filter(|(_, number, type_oid)| {
                let member = i32::from(*number) - pg_sys::FirstLowInvalidHeapAttributeNumber;
                pg_sys::bms_is_member(member, columns) && !holds_sealed(*type_oid)
            })
            .collect()
    }
}

/// The key of a row as a JSON object, in the database's encoding as far as that is UTF-8.
pub fn key_of(row: &Row, key: &[KeyPart]) -> String {
    let member = |(name, number, type_oid): &KeyPart| {
        let value = row.attribute(*number)?;
        let (mut function, mut is_varlena) = (pg_sys::Oid::INVALID, false);
        // SAFETY: the output function of the column's type, called as the owner of the table.
        let printed = unsafe {
            pg_sys::getTypeOutputInfo(*type_oid, &raw mut function, &raw mut is_varlena);
            CStr::from_ptr(pg_sys::OidOutputFunctionCall(function, value)).to_string_lossy().into_owned()
        };
        let is_number = [pg_sys::INT2OID, pg_sys::INT4OID, pg_sys::INT8OID].contains(type_oid);
        let printed = if is_number { printed } else { quoted(&printed) };
        Some(format!("{}: {printed}", quoted(&name.to_string_lossy())))
    };
    format!("{{{}}}", key.iter().filter_map(member).collect::<Vec<_>>().join(", "))
}

/// A string of JSON (RFC 8259, section 7).
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\0'..='\x1f' => quoted.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}
