//! `cordon.across`: one query in each of several tenants, which reads, as its caller and in one plan.
//!
//! No guard is between PostgreSQL and the frames here, which own nothing: an error of the query keeps its context.

use core::{
    ffi::{CStr, c_char, c_int, c_void},
    ptr, slice,
};
use std::collections::HashSet;

use cordon_core::TenantId;
use pgrx::{
    PgList,
    pg_sys::{self, Datum, FunctionCallInfo, NodeTag, Oid},
};

use super::{
    encoding,
    error::{Failure, or_raise},
    fmgr::Args,
    local_settings::LocalSettings,
    sealed_types::holds_sealed,
    table::column::types,
    tenant, tenant_setting,
    trees::guarded,
};

/// One of the tenants.
#[derive(Clone, Copy)]
struct Tenant {
    /// Of type text.
    value: Datum,
    /// The same as a C string.
    spelling: *mut c_char,
    /// Which element of the argument it is, from 1.
    position: c_int,
}

/// A call of `cordon.across`.
#[derive(Clone, Copy)]
struct Call {
    query: *const c_char,
    tenants: *mut Tenant,
    tenants_len: usize,
    parameters: pg_sys::ParamListInfo,
    parameter_types: *mut Oid,
    result: *mut pg_sys::ReturnSetInfo,
}

/// `cordon.across(tenants text[], query text, params text[])`: the rows of a query in each of the tenants, with the tenant
/// before them.
///
/// # Safety
/// To be called by PostgreSQL, for a function that is declared with these arguments and returns a set of records.
pub unsafe fn across(call: FunctionCallInfo) -> Datum {
    // SAFETY: by this function's contract. An error ends the transaction or subtransaction, and with it the tenant, the
    // settings and the connection.
    unsafe {
        let call = guarded(|| begin(&Args::new(call)));
        let mut receiver = Receiver::new(&call);
        SPI_connect();
        let parameters = (*call.parameters).numParams;
        // The plan must serve every tenant.
        let generic = pg_sys::CURSOR_OPT_GENERIC_PLAN as c_int;
        let plan = SPI_prepare_cursor(call.query, parameters, call.parameter_types, generic);
        guarded(|| check(plan));
        let reading = LocalSettings::begin();
        // Volatile functions are called as ever: this is what keeps them from writing.
        reading.set_of_transaction(c"transaction_read_only", c"on".as_ptr());
        for at in 0..call.tenants_len {
            let tenant = call.tenants.add(at);
            receiver.tenant = (*tenant).value;
            let mut context = pg_sys::ErrorContextCallback {
                previous: pg_sys::error_context_stack,
                callback: Some(name_tenant),
                arg: tenant.cast(),
            };
            pg_sys::error_context_stack = &raw mut context;
            let settings = LocalSettings::begin();
            guarded(|| tenant::begin_across(or_raise(parse(CStr::from_ptr((*tenant).spelling)))));
            settings.set(tenant_setting::name(), (*tenant).spelling);
            let options = pg_sys::SPIExecuteOptions {
                params: call.parameters,
                // All tenants by the snapshot of the statement that asks.
                read_only: true,
                dest: (&raw mut receiver).cast(),
                ..Default::default()
            };
            if SPI_execute_plan_extended(plan, &raw const options) < 0 {
                guarded(|| Failure::NotOneQuery.raise());
            }
            settings.end();
            tenant::end_across();
            pg_sys::error_context_stack = context.previous;
        }
        reading.end();
        SPI_finish();
        Datum::null()
    }
}

/// Reads the arguments, in memory that lives as long as the call.
fn begin(args: &Args) -> Call {
    if tenant::is_across() {
        Failure::AcrossWithinAcross.raise();
    }
    for (at, name) in [(0, "tenants"), (1, "query")] {
        if args.is_null(at) {
            Failure::Null(name).raise();
        }
    }
    // SAFETY: lookups in the system catalogs; arguments of the types that SQL declares; the result of a function that SQL
    // declares as a set of records, or an error.
    unsafe {
        let role = pg_sys::GetUserId();
        if pg_sys::has_bypassrls_privilege(role) {
            let name = CStr::from_ptr(pg_sys::GetUserNameFromId(role, false));
            Failure::AcrossUnbound(name.to_string_lossy().into_owned()).raise();
        }
        pg_sys::InitMaterializedSRF(args.call(), pg_sys::MAT_SRF_USE_EXPECTED_DESC);
        let result = (*args.call()).resultinfo.cast::<pg_sys::ReturnSetInfo>();
        let columns = types((*result).setDesc);
        if columns.first() != Some(&Some(pg_sys::TEXTOID)) {
            Failure::OtherColumns("The first column is the tenant, and of type text.".into()).raise();
        }
        if columns.iter().flatten().any(|type_oid| holds_sealed(*type_oid)) {
            Failure::SealedAcross.raise();
        }

        let (elements, nulls) = texts(args, 0);
        if nulls.contains(&true) {
            Failure::Null("tenant").raise();
        }
        // One that is named twice is asked once: what is counted is counted once.
        let mut seen = HashSet::new();
        let tenants = pg_sys::palloc(size_of::<Tenant>() * elements.len().max(1)).cast::<Tenant>();
        let mut tenants_len = 0;
        for (value, position) in elements.iter().zip(1..) {
            let spelling = pg_sys::text_to_cstring(value.cast_mut_ptr());
            if seen.insert(CStr::from_ptr(spelling).to_bytes()) {
                tenants.add(tenants_len).write(Tenant { value: *value, spelling, position });
                tenants_len += 1;
            }
        }

        let (values, nulls) = if args.is_null(2) { Default::default() } else { texts(args, 2) };
        let parameters = pg_sys::makeParamList(values.len() as c_int);
        let all = slice::from_raw_parts_mut((*parameters).params.as_mut_ptr(), values.len());
        for ((parameter, value), is_null) in all.iter_mut().zip(&*values).zip(nulls) {
            *parameter = pg_sys::ParamExternData {
                value: *value,
                isnull: *is_null,
                pflags: pg_sys::PARAM_FLAG_CONST as u16,
                ptype: pg_sys::TEXTOID,
            };
        }
        let parameter_types = pg_sys::palloc(size_of::<Oid>() * values.len().max(1)).cast::<Oid>();
        for at in 0..values.len() {
            parameter_types.add(at).write(pg_sys::TEXTOID);
        }
        Call {
            query: pg_sys::text_to_cstring(args.pointer(1).cast()),
            tenants,
            tenants_len,
            parameters,
            parameter_types,
            result,
        }
    }
}

/// The elements of an argument that SQL declares as text[], and which are null.
fn texts<'a>(args: &Args, at: usize) -> (&'a mut [Datum], &'a [bool]) {
    let (mut values, mut nulls, mut len) = (ptr::null_mut(), ptr::null_mut(), 0);
    // SAFETY: an array of text; what it is taken apart into lives as long as the call.
    unsafe {
        let align = pg_sys::TYPALIGN_INT as c_char;
        let (into, are_null) = (&raw mut values, &raw mut nulls);
        pg_sys::deconstruct_array(args.array(at), pg_sys::TEXTOID, -1, false, align, into, are_null, &raw mut len);
        match usize::try_from(len) {
            Ok(len) if len > 0 => (slice::from_raw_parts_mut(values, len), slice::from_raw_parts(nulls, len)),
            _ => Default::default(),
        }
    }
}

fn parse(tenant: &CStr) -> Result<TenantId, Failure> {
    encoding::with_utf8(tenant.to_bytes(), |spelling| TenantId::parse(spelling).map_err(Failure::Tenant))
}

/// Refuses all but one query that reads.
///
/// # Safety
/// `plan` must be null or a plan of SPI's.
unsafe fn check(plan: *mut c_void) {
    // SAFETY: by this function's contract: a list of sources of plans, each with a list of queries.
    unsafe {
        if plan.is_null() {
            Failure::NotOneQuery.raise();
        }
        let sources = PgList::<pg_sys::CachedPlanSource>::from_pg(pg_sys::SPI_plan_get_plan_sources(plan.cast()));
        let queries = sources.get_ptr(0).map(|source| PgList::<pg_sys::Query>::from_pg((*source).query_list));
        let query = queries.as_ref().filter(|queries| queries.len() == 1).and_then(|queries| queries.get_ptr(0));
        let reads = query.is_some_and(|query| {
            (*query).type_ == NodeTag::T_Query
                && (*query).commandType == pg_sys::CmdType::CMD_SELECT
                && !(*query).hasModifyingCTE
                && (*query).rowMarks.is_null()
        });
        if sources.len() != 1 || !reads {
            Failure::NotOneQuery.raise();
        }
    }
}

/// What takes the rows of a query, and returns them with the tenant before.
#[repr(C)]
struct Receiver {
    base: pg_sys::DestReceiver,
    result: *mut pg_sys::ReturnSetInfo,
    tenant: Datum,
    /// For as many columns as are declared.
    values: *mut Datum,
    nulls: *mut bool,
}

impl Receiver {
    /// # Safety
    /// `call` must be the present one.
    unsafe fn new(call: &Call) -> Self {
        // SAFETY: the declared columns of the result, of which there is one at least.
        unsafe {
            let count = (*(*call.result).setDesc).natts as usize;
            Self {
                base: pg_sys::DestReceiver {
                    receiveSlot: Some(receive),
                    rStartup: Some(start),
                    rShutdown: Some(ignore),
                    rDestroy: Some(ignore),
                    mydest: pg_sys::CommandDest::DestTuplestore,
                },
                result: call.result,
                tenant: Datum::null(),
                values: pg_sys::palloc(size_of::<Datum>() * count).cast(),
                nulls: pg_sys::palloc0(count).cast(),
            }
        }
    }
}

/// Refuses columns that are not those that were declared.
///
/// # Safety
/// Called by PostgreSQL with a [`Receiver`] and the columns of the query.
unsafe extern "C-unwind" fn start(this: *mut pg_sys::DestReceiver, _: c_int, columns: pg_sys::TupleDesc) {
    // SAFETY: by this function's contract.
    guarded(|| unsafe {
        let declared = types((*(*this.cast::<Receiver>()).result).setDesc);
        let given = types(columns);
        let detail = if given.len() + 1 != declared.len() {
            format!("It returns {} columns; {} were declared beside the tenant.", given.len(), declared.len() - 1)
        } else if let Some(at) = (0..given.len()).find(|at| given[*at] != declared[at + 1]) {
            let name = |type_oid: Option<Oid>| {
                let printed = pg_sys::format_type_be(type_oid.unwrap_or(Oid::INVALID));
                CStr::from_ptr(printed).to_string_lossy()
            };
            format!("Column {} is of type {}; {} was declared.", at + 1, name(given[at]), name(declared[at + 1]))
        } else {
            return;
        };
        Failure::OtherColumns(detail).raise();
    });
}

/// # Safety
/// Called by PostgreSQL with a [`Receiver`] and a row of the columns that [`start`] let through.
unsafe extern "C-unwind" fn receive(row: *mut pg_sys::TupleTableSlot, this: *mut pg_sys::DestReceiver) -> bool {
    // SAFETY: by this function's contract. A slot has arrays for as many values as it has columns.
    unsafe {
        let this = &mut *this.cast::<Receiver>();
        let count = (*(*row).tts_tupleDescriptor).natts;
        if c_int::from((*row).tts_nvalid) < count {
            slot_getsomeattrs_int(row, count);
        }
        *this.values = this.tenant;
        ptr::copy_nonoverlapping((*row).tts_values, this.values.add(1), count as usize);
        ptr::copy_nonoverlapping((*row).tts_isnull, this.nulls.add(1), count as usize);
        tuplestore_putvalues((*this.result).setResult, (*this.result).setDesc, this.values, this.nulls);
        true
    }
}

/// # Safety
/// Called by PostgreSQL.
unsafe extern "C-unwind" fn ignore(_: *mut pg_sys::DestReceiver) {}

/// Says in the context of an error which tenant's query it is of, without its name.
///
/// # Safety
/// Called by PostgreSQL with a [`Tenant`].
unsafe extern "C-unwind" fn name_tenant(tenant: *mut c_void) {
    // SAFETY: by this function's contract.
    unsafe {
        set_errcontext_domain(ptr::null());
        errcontext_msg(c"element %d of the tenants of cordon.across".as_ptr(), (*tenant.cast::<Tenant>()).position);
    }
}

// As in `executor/spi.h`, `executor/tuptable.h`, `utils/elog.h` and `utils/tuplestore.h`, without the guard of
// pgrx's declarations.
unsafe extern "C-unwind" {
    fn SPI_connect() -> c_int;
    fn SPI_prepare_cursor(query: *const c_char, count: c_int, types: *mut Oid, options: c_int) -> *mut c_void;
    fn SPI_execute_plan_extended(plan: *mut c_void, options: *const pg_sys::SPIExecuteOptions) -> c_int;
    fn SPI_finish() -> c_int;
    fn slot_getsomeattrs_int(slot: *mut pg_sys::TupleTableSlot, count: c_int);
    fn tuplestore_putvalues(
        store: *mut pg_sys::Tuplestorestate,
        columns: pg_sys::TupleDesc,
        values: *const Datum,
        nulls: *const bool,
    );
    fn set_errcontext_domain(domain: *const c_char) -> c_int;
    fn errcontext_msg(format: *const c_char, ...) -> c_int;
}
