# Part of _fastdecode.pyx: plans out of the tables that wire/hot.py made, and their release.

cdef void free_plan(Plan *plan) noexcept:
    cdef int i
    if plan.tests is not NULL:
        i = 0
        while plan.tests[i].slot >= 0:
            free(plan.tests[i].text)
            i += 1
    for i in range(plan.tables_count):
        free(plan.tables[i].ops)
        free(plan.tables[i].defaults)
    free(plan.template_)
    free(plan.ops)
    free(plan.tests)
    free(plan.constant_slot)
    free(plan.constant)
    free(plan.tables)
    free(plan.checks)


cdef int load_checks(Plan *plan, checks) except -1:
    cdef int i
    plan.checks_count = len(checks)
    plan.checks = <Check *>need(len(checks) * sizeof(Check))
    for i, (store, dst, guard) in enumerate(checks):
        plan.checks[i].store = store
        plan.checks[i].dst = dst
        plan.checks[i].guard = guard
    return 0


cdef void *need(size_t n) except NULL:
    cdef void *p = malloc(n if n else 1)
    if p is NULL:
        raise MemoryError()
    memset(p, 0, n)
    return p


cdef uint8_t *copy_bytes(bytes data) except NULL:
    cdef uint8_t *p = <uint8_t *>need(len(data) + 1)
    memcpy(p, <const char *>data, len(data))
    return p


cdef int fast_of(Op *op) noexcept:
    if op.code >= OP_WHEN:
        return FAST_CONTROL
    if op.slot != NO_SLOT:
        return FAST_NONE
    if op.code == OP_SKIP:
        return FAST_SKIP
    if op.code == OP_STR and op.store == STORE_NONE:
        return FAST_SKIP
    if op.code == OP_FLOAT or op.code == OP_DEC:
        plain = op.store == STORE_F64 and op.dst2 != NO_DST and not op.flags & (F_NOT_COMPUTED | F_NEGATIVE)
        if op.store == STORE_NONE:
            return FAST_VALID
        if op.store == STORE_F64 and op.dst2 == NO_DST and not op.flags & (F_NOT_COMPUTED | F_NEGATIVE):
            return FAST_DOUBLE
        return FAST_NUMBER if plain else FAST_NONE
    if op.code == OP_STR and op.store == STORE_REF:
        return FAST_REF
    if op.code == OP_STR or op.code == OP_BOOL:
        return FAST_NONE
    if op.store == STORE_NONE:
        return FAST_CHECK
    if op.flags & F_NULLABLE:
        return FAST_NONE
    if op.store == STORE_I64:
        return FAST_I64
    return FAST_I32 if op.store == STORE_I32 else FAST_NONE


cdef int load_text(Plan *plan, tuple made) except -1:
    cdef int i
    template, ops, tests, slots, constants, checks = made
    load_checks(plan, checks)
    plan.template_ = copy_bytes(template)
    plan.size = len(template)
    plan.slots = slots
    plan.ops = <Op *>need(len(ops) * sizeof(Op))
    for i, (code, store, dst, dst2, aux, flags, slot, fval, jump) in enumerate(ops):
        plan.ops[i].code = code
        plan.ops[i].store = store
        plan.ops[i].flags = flags
        plan.ops[i].slot = slot
        plan.ops[i].dst = dst
        plan.ops[i].dst2 = dst2
        plan.ops[i].aux = aux
        plan.ops[i].jump = jump
        plan.ops[i].fval = fval
        plan.ops[i].fast = fast_of(&plan.ops[i])
    plan.ops_count = len(ops) - 1   # the last one ends the plan
    for i in range(len(ops) - 3):
        if (plan.ops[i].fast == FAST_CHECK and plan.ops[i + 1].fast == FAST_I64 and plan.ops[i + 2].fast == FAST_I32
                and plan.ops[i].code < OP_WHEN
                and not any(i < other[8] <= i + 2 for other in ops if other[0] == OP_REPEAT)):
            plan.ops[i].fast = FAST_HEAD   # and no list element ends in between
    plan.tests = <Test *>need((len(tests) + 1) * sizeof(Test))
    plan.tests[len(tests)].slot = -1
    for i, (slot, code, number, text) in enumerate(tests):
        plan.tests[i].slot = slot
        plan.tests[i].code = code
        plan.tests[i].number = number
        plan.tests[i].text = copy_bytes(text)
        plan.tests[i].text_len = len(text)
    plan.constants = len(constants)
    plan.constant_slot = <int *>need(len(constants) * sizeof(int))
    plan.constant = <double *>need(len(constants) * sizeof(double))
    for i, (slot, value) in enumerate(constants):
        plan.constant_slot[i] = slot
        plan.constant[i] = value
    return 0


cdef int proto_fast_of(ProtoOp *op) noexcept:
    if op.code == P_STRING and (op.kind == K_STR or op.kind == 0):
        return PF_TEXT
    if not op.store and op.code == P_DOUBLE and op.kind != K_I32 and op.kind != K_I64:
        return PF_SKIP_8
    if not op.store and (op.code == P_INT32 or op.code == P_INT64 or op.code == P_BOOL or op.code == P_BITS):
        return PF_SKIP
    if op.flags & (F_NEGATIVE | F_NOT_COMPUTED):
        return PF_NONE
    if op.code == P_DOUBLE and op.kind == K_F64 and op.store == STORE_F64:
        return PF_DOUBLE
    if op.code == P_STRING and op.kind == K_DEC and op.store == STORE_F64 and op.dst2 != NO_DST:
        return PF_SIZE
    if op.code == P_BITS and op.store == STORE_I32:
        return PF_I32
    if (op.code == P_INT32 or op.code == P_INT64) and not op.flags & F_NULLABLE:
        if op.store == STORE_I64:
            return PF_I64
        if op.store == STORE_I32:
            return PF_I32
    return PF_NONE


cdef int load_proto(Plan *plan, tuple made) except -1:
    cdef int i, number
    cdef ProtoOp *op
    template, tables, checks = made
    load_checks(plan, checks)
    plan.template_ = copy_bytes(template)
    plan.size = len(template)
    plan.tables_count = len(tables)
    plan.tables = <ProtoTable *>need(len(tables) * sizeof(ProtoTable))
    for i, (ops, defaults) in enumerate(tables):
        plan.tables[i].defaults = <Default *>need(len(defaults) * sizeof(Default))
        plan.tables[i].defaults_count = len(defaults)
        for number, (at, data) in enumerate(defaults):
            plan.tables[i].defaults[number].dst = at
            plan.tables[i].defaults[number].size = min(len(data), 8)
            memcpy(plan.tables[i].defaults[number].data, <const char *><bytes>data, min(len(data), 8))
        plan.tables[i].limit = max([o[0] for o in ops], default=0) + 1
        plan.tables[i].ops = <ProtoOp *>need(plan.tables[i].limit * sizeof(ProtoOp))
        for number, code, store, dst, dst2, aux, flags, kind, fval, sub in ops:
            op = &plan.tables[i].ops[number]
            op.present = 1
            op.code = code
            op.store = store
            op.flags = flags
            op.kind = kind
            op.dst = dst
            op.dst2 = dst2
            op.aux = aux
            op.sub = sub
            op.fval = fval
            op.fast = proto_fast_of(op)
            op.wire = wire_of(code)
            if number < 16 and code != P_LIST:
                plan.tables[i].by_key[number << 3 | wire_of(code)] = op
    return 0


cdef ibw_program *load_fused(made, int parts, bint proto, bint wide) except NULL:
    cdef ibw_program *program = <ibw_program *>need(sizeof(ibw_program))
    first, ways = made
    try:
        load_program(program, first, parts, proto, wide)
        if ways:
            program.ways = <ibw_program *>need(IBW_WAYS * sizeof(ibw_program))
            for way, made_way in ways.items():
                if not 0 <= way < IBW_WAYS:
                    raise ValueError(f"way {way} is beyond the table")
                load_program(&program.ways[<int>way], made_way, parts, proto, wide)
    except BaseException:
        free_fused(program)
        raise
    return program


cdef void free_fused(ibw_program *program) noexcept:
    if program is not NULL:
        free(program.ways)
        free(program)


cdef int load_program(ibw_program *program, made, int parts, bint proto, bint wide) except -1:
    cdef uint64_t shape = 0
    cdef int i
    template, ops = made
    if len(ops) > IBW_OPS or len(template) != 64 * parts or parts > 2:
        raise ValueError("a program is too long")
    memcpy(program.template_, <const char *><bytes>template, 64 * parts)
    program.parts = parts
    for i, (kind, key, dst, dst2, aux, room, refused, negative) in enumerate(ops):
        program.ops[i].kind = kind
        program.ops[i].key = key
        program.ops[i].dst = dst
        program.ops[i].dst2 = dst2
        program.ops[i].aux = aux
        program.ops[i].room = room
        program.ops[i].refused = refused
        program.ops[i].negative = negative
        shape |= <uint64_t>(<int>kind) << (4 * i)
    program.run = ibw_run_of(shape, proto, wide)
    return 0
