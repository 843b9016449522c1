// What PostgREST's JavaScript client writes, and what it is told when that
// fails, as its users write it.
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { PostgrestClient } from '@supabase/postgrest-js';

const db = new PostgrestClient(process.env.DSAPI_CLIENT_BASE);

// pets: id, name (unique, not null), legs (4), note
beforeEach(async () => {
    const { error } = await db.from('pets').delete().gt('id', 0);

    assert.equal(error, null);
    await db.from('pets').insert([
        { id: 1, name: 'ant', legs: 6, note: 'small' },
        { id: 2, name: 'bee', legs: 6, note: null },
        { id: 3, name: 'cat', legs: 4, note: null },
    ]).throwOnError();
});

// What the table has, as text.
async function pets() {
    const { data } = await db.from('pets').select().order('id')
        .throwOnError();

    return data.map((p) => `${p.id}:${p.name}:${p.legs}`).join(' ');
}

const BEFORE = '1:ant:6 2:bee:6 3:cat:4';

test('insert', async () => {
    const one = await db.from('pets').insert({ id: 10, name: 'dog' });
    const many = await db.from('pets')
        .insert([{ id: 11, name: 'eel', legs: 0 }, { id: 12, name: 'fly' }],
            { count: 'exact' });
    const shown = await db.from('pets')
        .insert({ id: 13, name: 'gnu' }).select();
    const single = await db.from('pets')
        .insert({ id: 14, name: 'hen', legs: 2 }).select('name, l:legs')
        .single();

    assert.deepEqual([one.status, one.data, one.error, one.statusText],
        [201, null, null, 'Created']);
    assert.deepEqual([many.status, many.count, many.error], [201, 2, null]);
    assert.equal(shown.status, 201);
    assert.deepEqual(shown.data,
        [{ id: 13, name: 'gnu', legs: 4, note: null }]);
    assert.deepEqual(single.data, { name: 'hen', l: 2 });
    assert.equal(await pets(), `${BEFORE} 10:dog:4 11:eel:0 12:fly:null `
        + '13:gnu:4 14:hen:2');
});

test('insert with the defaults of the table', async () => {
    const { data, error } = await db.from('pets')
        .insert([{ id: 10, name: 'dog' }, { id: 11, name: 'eel', legs: 0 }],
            { defaultToNull: false })
        .select('id, legs').order('id');

    assert.equal(error, null);
    assert.deepEqual(data, [{ id: 10, legs: 4 }, { id: 11, legs: 0 }]);
});

test('insert nothing', async () => {
    const { data, error, status } = await db.from('pets').insert([]).select();

    assert.deepEqual([data, error, status], [[], null, 201]);
});

test('insert below another row, and show that', async () => {
    const { data, error } = await db.from('toys')
        .insert({ id: 1, pet: 3, name: 'ball' }).select('name, pets(name)');

    assert.equal(error, null);
    assert.deepEqual(data, [{ name: 'ball', pets: { name: 'cat' } }]);
    assert.equal((await db.from('toys').delete().eq('id', 1)).status, 204);
});

test('upsert', async () => {
    const merged = await db.from('pets').upsert({ id: 1, name: 'ANT' })
        .select();
    const mixed = await db.from('pets')
        .upsert([{ id: 2, name: 'BEE' }, { id: 20, name: 'new' }]).select('id');
    const byName = await db.from('pets')
        .upsert({ name: 'cat', legs: 3 }, { onConflict: 'name' })
        .select().single();
    const ignored = await db.from('pets')
        .upsert([{ id: 3, name: 'not' }, { id: 21, name: 'yes' }],
            { ignoreDuplicates: true })
        .select('id');
    const defaults = await db.from('pets')
        .upsert([{ id: 22, name: 'x' }, { id: 23, name: 'y', legs: 1 }],
            { defaultToNull: false, count: 'exact' });

    assert.equal(merged.status, 200);
    assert.deepEqual(merged.data,
        [{ id: 1, name: 'ANT', legs: 6, note: 'small' }]);
    assert.equal(mixed.status, 201);
    assert.deepEqual(mixed.data, [{ id: 2 }, { id: 20 }]);
    assert.deepEqual(byName.data, { id: 3, name: 'cat', legs: 3, note: null });
    assert.deepEqual(ignored.data, [{ id: 21 }]);
    assert.deepEqual([defaults.error, defaults.count], [null, 2]);
    assert.equal(await pets(), '1:ANT:6 2:BEE:6 3:cat:3 20:new:4 21:yes:4 '
        + '22:x:4 23:y:1');
});

test('update', async () => {
    const quiet = await db.from('pets').update({ legs: 5 }).eq('id', 1);
    const shown = await db.from('pets')
        .update({ legs: 7 }, { count: 'exact' }).gt('id', 1)
        .select('id, legs').order('id', { ascending: false });
    const single = await db.from('pets').update({ note: 'x' }).eq('id', 3)
        .select('note').single();
    const none = await db.from('pets').update({ legs: 9 }).eq('id', 99)
        .select();
    const missing = await db.from('pets').update({ legs: 9 }).eq('id', 99)
        .select().single();
    const maybe = await db.from('pets').update({ legs: 9 }).eq('id', 99)
        .select().maybeSingle();

    assert.deepEqual([quiet.status, quiet.data, quiet.error],
        [204, null, null]);
    assert.equal(shown.status, 200);
    assert.equal(shown.count, 2);
    assert.deepEqual(shown.data, [{ id: 3, legs: 7 }, { id: 2, legs: 7 }]);
    assert.deepEqual(single.data, { note: 'x' });
    assert.deepEqual([none.status, none.data], [200, []]);
    assert.equal(missing.error.code, 'PGRST116');
    assert.deepEqual([maybe.data, maybe.error], [null, null]);
    assert.equal(await pets(), '1:ant:5 2:bee:7 3:cat:7');
});

test('delete', async () => {
    const shown = await db.from('pets').delete({ count: 'exact' })
        .in('name', ['ant', 'cat']).select('name').order('name');
    const quiet = await db.from('pets').delete().eq('id', 2);

    assert.deepEqual([shown.status, shown.count], [200, 2]);
    assert.deepEqual(shown.data, [{ name: 'ant' }, { name: 'cat' }]);
    assert.deepEqual([quiet.status, quiet.data, quiet.error],
        [204, null, null]);
    assert.equal(await pets(), '');
});

test('at most so many, or not at all', async () => {
    const many = await db.from('pets').delete().gt('id', 0).maxAffected(2);
    const back = await db.from('pets').delete().gt('id', 0).rollback()
        .select('id').order('id');

    assert.equal(many.status, 400);
    assert.deepEqual(many.error, {
        ...many.error,
        code: 'PGRST124',
        message: 'Query result exceeds max-affected preference constraint',
        details: 'The query affects 3 rows',
        hint: null,
    });
    assert.deepEqual(back.data, [{ id: 1 }, { id: 2 }, { id: 3 }]);
    assert.equal(await pets(), BEFORE);
    assert.equal((await db.from('pets').delete().eq('id', 3).maxAffected(1))
        .status, 204);
});

const failures = [
    ['a key that is there', () => db.from('pets').insert({ id: 1, name: 'x' }),
        409, '23505', 'duplicate key value violates unique constraint '
            + '"pet_pkey"', 'Key (id)=(1) already exists.', null],
    ['a row that is not', () => db.from('toys').insert({ id: 9, pet: 99 }),
        409, '23503', 'insert or update on table "toy" violates foreign key '
            + 'constraint "toy_pet_fkey"',
        'Key (pet)=(99) is not present in table "pet".', null],
    ['nothing where there must be something',
        () => db.from('pets').insert({ id: 9 }), 400, '23502',
        'null value in column "name" of relation "pet" violates not-null '
            + 'constraint', 'Failing row contains (9, null, 4, null).', null],
    ['a check', () => db.from('pets').update({ legs: -1 }).eq('id', 1), 400,
        '23514', 'new row for relation "pet" violates check constraint '
            + '"pet_legs_check"',
        'Failing row contains (1, ant, -1, small).', null],
    ['a column to write', () => db.from('pets').insert({ id: 9, wings: 2 }),
        400, 'PGRST204',
        "Could not find the 'wings' column of 'pets' in the schema cache",
        null, null],
    ['a column to read', () => db.from('pets').select('wings'), 400, '42703',
        'column pets.wings does not exist', null, null],
    ['a text for a number', () => db.from('pets').select().eq('id', 'x'), 400,
        '22P02', 'invalid input syntax for type integer: "x"', null, null],
    ['an operator', () => db.from('pets').select().like('id', 'x'), 404,
        '42883', 'operator does not exist: integer ~~ unknown', null,
        'No operator matches the given name and argument types. You might '
            + 'need to add explicit type casts.'],
    ['a filter', () => db.from('pets').select().filter('id', 'is', 'x'), 400,
        'PGRST100', '"failed to parse filter (is.x)" (line 1, column 4)',
        'unexpected "x" expecting isVal: (null, not_null, true, false, '
            + 'unknown)', null],
    ['a relationship', () => db.from('pets').select('rooms(*)'), 400,
        'PGRST200', "Could not find a relationship between 'pets' and "
            + "'rooms' in the schema cache",
        "Searched for a foreign key relationship between 'pets' and 'rooms' "
            + "in the schema 'inn', but no matches were found.",
        "Perhaps you meant 'toys' instead of 'rooms'."],
    ['a conflict without a key',
        () => db.from('pets').upsert({ id: 1 }, { onConflict: 'legs' }), 400,
        '42P10', 'there is no unique or exclusion constraint matching the ON '
            + 'CONFLICT specification', null, null],
    ['what may not be written', () => db.from('rooms').insert({ id: 9 }), 405,
        'method-not-allowed', undefined, undefined, undefined],
    ['what is not there', () => db.from('nosuch').select(), 404, 'PGRST205',
        "Could not find the table 'nosuch' in the schema cache", null, null],
];

for (const [name, ask, status, code, message, details, hint] of failures) {
    test(`an error: ${name}`, async () => {
        const answer = await ask();

        assert.equal(answer.status, status);
        assert.equal(answer.data, null);
        assert.equal(answer.count, null);
        assert.equal(answer.error.code, code);
        if (message !== undefined) {
            assert.equal(answer.error.message, message);
            assert.equal(answer.error.details, details);
            assert.equal(answer.error.hint, hint);
        }
        assert.equal(await pets(), BEFORE);
    });
}

test('throwOnError', async () => {
    await assert.rejects(
        db.from('pets').select('wings').throwOnError().then((a) => a),
        { name: 'PostgrestError', code: '42703',
            message: 'column pets.wings does not exist', details: null,
            hint: null });
});

test('abortSignal', async () => {
    const abort = new AbortController();
    const answer = db.from('pets').select().abortSignal(abort.signal)
        .then((a) => a);

    abort.abort();
    const { data, error, status } = await answer;

    assert.deepEqual([data, status], [null, 0]);
    assert.match(error.message, /abort/i);
    assert.equal(await pets(), BEFORE);
});
