// What PostgREST's JavaScript client reads, as its users write it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PostgrestClient } from '@supabase/postgrest-js';

const db = new PostgrestClient(process.env.DSAPI_CLIENT_BASE);

// The ids of what a query gives, in their order.
async function ids(query) {
    const { data, error } = await query.order('id');

    assert.equal(error, null);
    return data.map((row) => row.id).join(',');
}

const rooms = () => db.from('rooms').select('id');

test('everything, and some columns', async () => {
    const all = await db.from('rooms').select();
    const some = await db.from('rooms').select('id, name').eq('id', 2);

    assert.equal(all.status, 200);
    assert.equal(all.statusText, 'OK');
    assert.equal(all.count, null);
    assert.equal(all.data.length, 4);
    assert.deepEqual(all.data[0].tags, ['red', 'blue']);
    assert.deepEqual(all.data[0].data, { size: { w: 3 }, beds: ['a', 'b'] });
    assert.deepEqual(some.data, [{ id: 2, name: 'Birch, (Inn)' }]);
});

const filters = [
    ['eq', (q) => q.eq('name', 'Birch, (Inn)'), '2'],
    ['eq of a word in quotes', (q) => q.eq('"odd name"', 'x.y'), '4'],
    ['neq', (q) => q.neq('price', 100), '2,4'],
    ['gt', (q) => q.gt('price', 100), '2'],
    ['gte', (q) => q.gte('price', 100), '1,2'],
    ['lt', (q) => q.lt('price', 100), '4'],
    ['lte', (q) => q.lte('price', 100), '1,4'],
    ['eq of a time', (q) => q.eq('seen', '2024-01-02T03:04:05+00:00'), '1'],
    ['like', (q) => q.like('name', '%o%'), '1,3'],
    ['ilike', (q) => q.ilike('name', 'D*'), '4'],
    ['likeAllOf', (q) => q.likeAllOf('name', ['%o%', 'C%']), '3'],
    ['likeAnyOf', (q) => q.likeAnyOf('name', ['A%', 'C%']), '1,3'],
    ['ilikeAllOf', (q) => q.ilikeAllOf('name', ['%N%', '%L%']), '1'],
    ['ilikeAnyOf', (q) => q.ilikeAnyOf('name', ['a%', 'D%']), '1,4'],
    ['is null', (q) => q.is('price', null), '3'],
    ['is true', (q) => q.is('sold', true), '2'],
    ['is false', (q) => q.is('sold', false), '1,4'],
    ['in', (q) => q.in('id', [1, 3, 99]), '1,3'],
    ['in, of words with commas and brackets',
        (q) => q.in('name', ['Birch, (Inn)', 'dune']), '2,4'],
    ['in, of a word with quotes', (q) => q.in('name', ['Cove "2"']), ''],
    ['in nothing', (q) => q.in('id', []), ''],
    ['contains, of an array', (q) => q.contains('tags', ['red']), '1'],
    ['contains, of a range', (q) => q.contains('nights', '[2,3]'), '1'],
    ['contains, of JSON',
        (q) => q.contains('data', { size: { w: 7 } }), '2'],
    ['containedBy, of an array',
        (q) => q.containedBy('tags', ['blue', 'green']), '2,3'],
    ['containedBy, of a range', (q) => q.containedBy('nights', '[0,9)'),
        '1,2'],
    ['containedBy, of JSON',
        (q) => q.containedBy('data', { size: { w: 7 }, x: 1 }), '2'],
    ['rangeGt', (q) => q.rangeGt('nights', '[5,9)'), '3'],
    ['rangeGte', (q) => q.rangeGte('nights', '[5,9)'), '2,3'],
    ['rangeLt', (q) => q.rangeLt('nights', '[5,9)'), '1'],
    ['rangeLte', (q) => q.rangeLte('nights', '[5,9)'), '1,2'],
    ['rangeAdjacent', (q) => q.rangeAdjacent('nights', '[9,20)'), '2,3'],
    ['overlaps, of an array', (q) => q.overlaps('tags', ['red', 'green']),
        '1'],
    ['overlaps, of a range', (q) => q.overlaps('nights', '[4,6)'), '1,2'],
    ['textSearch', (q) => q.textSearch('notes', "'sea' & !'cats'"), '1'],
    ['textSearch in a language',
        (q) => q.textSearch('notes', 'cats', { config: 'english' }), '3'],
    ['textSearch, plain',
        (q) => q.textSearch('notes', 'house sea', { type: 'plain' }), '1'],
    ['textSearch, of a phrase',
        (q) => q.textSearch('notes', 'quiet house',
            { type: 'phrase', config: 'english' }), '1'],
    ['textSearch, as of the web',
        (q) => q.textSearch('notes', 'house -loud',
            { type: 'websearch', config: 'english' }), '1'],
    ['textSearch of a vector', (q) => q.textSearch('words', 'loud'), '2'],
    ['match', (q) => q.match({ sold: false, price: 80 }), '4'],
    ['not', (q) => q.not('price', 'is', null), '1,2,4'],
    ['not in', (q) => q.not('id', 'in', '(1,2)'), '3,4'],
    ['not, of an array', (q) => q.not('tags', 'cs', '{red}'), '2,3'],
    ['or', (q) => q.or('id.eq.1,name.eq.dune'), '1,4'],
    ['or, nested', (q) => q.or('id.eq.3,and(price.gte.80,price.lt.200)'),
        '1,3,4'],
    ['or, with not', (q) => q.or('not.and(id.gt.1,id.lt.4),id.in.(2)'),
        '1,2,4'],
    ['or, of arrays, JSON and quotes',
        (q) => q.or('tags.cs.{red},data->size->>w.eq.7,name.eq."Co,ve"'),
        '1,2'],
    ['or, twice', (q) => q.or('id.eq.1,id.eq.2').or('id.eq.2,id.eq.3'), '2'],
    ['filter', (q) => q.filter('name', 'match', '^[AC]'), '1,3'],
    ['filter imatch', (q) => q.filter('name', 'imatch', '^d'), '4'],
    ['filter in', (q) => q.filter('id', 'in', '(2,"3")'), '2,3'],
    ['filter eq(any)', (q) => q.filter('id', 'eq(any)', '{2,4}'), '2,4'],
    ['filter isdistinct', (q) => q.filter('price', 'isdistinct', 100),
        '2,3,4'],
    ['filter not_null', (q) => q.filter('price', 'is', 'not_null'), '1,2,4'],
    ['a JSON path', (q) => q.eq('data->size->>w', '3'), '1'],
    ['a JSON path to a number', (q) => q.gt('data->size->w', 3), '2'],
    ['an element of a JSON array', (q) => q.eq('data->beds->>0', 'a'), '1'],
    ['several at once', (q) => q.gt('id', 1).lt('id', 4).neq('id', 2), '3'],
];

for (const [name, narrow, wanted] of filters) {
    test(`filter: ${name}`, async () => {
        assert.equal(await ids(narrow(rooms())), wanted);
    });
}

test('select: names, casts, JSON paths', async () => {
    const { data, error } = await db.from('rooms')
        .select('label:name, price::text, w:data->size->w,'
            + 't:data->size->>w, first:data->beds->>0, "odd name", wide')
        .eq('id', 1).single();

    assert.equal(error, null);
    assert.deepEqual(data, {
        label: 'Anton Lodge', price: '100', w: 3, t: '3', first: 'a',
        'odd name': null, wide: 'Anton Lodge!',
    });
});

test('select: what is embedded', async () => {
    const { data, error } = await db.from('rooms')
        .select('name, visits(*), at:visits(place)').eq('id', 1)
        .order('id', { referencedTable: 'visits', ascending: false })
        .limit(1, { referencedTable: 'at' });

    assert.equal(error, null);
    assert.deepEqual(data, [{
        name: 'Anton Lodge',
        visits: [
            { id: 2, room_id: 1, place: 'hall', stars: 3 },
            { id: 1, room_id: 1, place: 'sea', stars: 5 },
        ],
        at: [{ place: 'sea' }],
    }]);
});

test('select: the row above, hints, spread', async () => {
    const one = await db.from('visits')
        .select('id, rooms(name), r:rooms!visit_room(id), ...rooms(n:name)')
        .eq('id', 3).single();
    const other = await db.from('visits').select('id, room:room_id(name)')
        .eq('id', 4).single();

    assert.equal(one.error, null);
    assert.deepEqual(one.data, {
        id: 3, rooms: { name: 'Birch, (Inn)' }, r: { id: 2 },
        n: 'Birch, (Inn)',
    });
    assert.deepEqual(other.data, { id: 4, room: null });
});

test('select: many to many', async () => {
    const { data, error } = await db.from('rooms')
        .select('id, labels(word)').in('id', [1, 4])
        .order('word', { referencedTable: 'labels' }).order('id');

    assert.equal(error, null);
    assert.deepEqual(data, [
        { id: 1, labels: [{ word: 'cheap' }, { word: 'warm' }] },
        { id: 4, labels: [] },
    ]);
});

test('inner joins, filters of what is embedded', async () => {
    const inner = db.from('rooms').select('id, visits!inner(stars)')
        .eq('visits.stars', 5);
    const outer = await db.from('rooms').select('id, visits(stars)')
        .eq('visits.stars', 5).in('id', [1, 3]).order('id');
    const some = db.from('rooms').select('id, visits(id)')
        .or('stars.eq.3,place.eq.sea', { referencedTable: 'visits' })
        .not('visits', 'is', null);

    assert.equal(await ids(inner), '1,2');
    assert.deepEqual(outer.data,
        [{ id: 1, visits: [{ stars: 5 }] }, { id: 3, visits: [] }]);
    assert.equal(await ids(some), '1');
    assert.equal(await ids(db.from('rooms').select('id, visits()')
        .is('visits', null)), '3,4');
});

test('counts of what is embedded, and aggregates', async () => {
    const counted = await db.from('rooms').select('id, visits(count)')
        .lte('id', 3).order('id');
    const named = await db.from('rooms').select('n:visits(count)')
        .eq('id', 1).single();
    const sums = await db.from('visits')
        .select('room_id, stars.sum(), n:count()')
        .order('room_id', { nullsFirst: true });
    const all = await db.from('visits').select('count').single();

    assert.equal(counted.error, null);
    assert.deepEqual(counted.data, [
        { id: 1, visits: [{ count: 2 }] },
        { id: 2, visits: [{ count: 1 }] },
        { id: 3, visits: [{ count: 0 }] },
    ]);
    assert.deepEqual(named.data, { n: [{ count: 2 }] });
    assert.deepEqual(sums.data, [
        { room_id: null, sum: 1, n: 1 },
        { room_id: 1, sum: 8, n: 2 },
        { room_id: 2, sum: 5, n: 1 },
    ]);
    assert.deepEqual(all.data, { count: 4 });
});

test('order', async () => {
    const by = async (column, options) => {
        const { data, error } = await db.from('rooms').select('id')
            .order(column, options).order('id');

        assert.equal(error, null);
        return data.map((row) => row.id).join(',');
    };

    assert.equal(await by('name', { ascending: false }), '4,3,2,1');
    assert.equal(await by('price'), '4,1,2,3');
    assert.equal(await by('price', { nullsFirst: true }), '3,4,1,2');
    assert.equal(await by('price', { ascending: false, nullsFirst: false }),
        '2,1,4,3');
    assert.equal(await by('data->size->w', { ascending: false }), '3,4,2,1');

    const { data } = await db.from('visits').select('id, rooms(name)')
        .order('rooms(name)', { ascending: false, nullsFirst: false })
        .order('id');

    assert.deepEqual(data.map((row) => row.id), [3, 1, 2, 4]);
});

test('limit and range', async () => {
    assert.equal(await ids(rooms().limit(2)), '1,2');
    assert.equal(await ids(rooms().range(1, 2)), '2,3');
    assert.equal(await ids(rooms().range(9, 12)), '');
    assert.equal(await ids(rooms().limit(0)), '');

    const { data } = await db.from('rooms').select('visits(id)').eq('id', 1)
        .order('id', { referencedTable: 'visits' })
        .range(1, 1, { referencedTable: 'visits' });

    assert.deepEqual(data, [{ visits: [{ id: 2 }] }]);
});

test('one object', async () => {
    const none = await rooms().eq('id', 99).single();
    const many = await rooms().single();

    assert.deepEqual((await rooms().eq('id', 1).single()).data, { id: 1 });
    assert.deepEqual((await rooms().eq('id', 1).maybeSingle()).data,
        { id: 1 });
    assert.equal((await rooms().eq('id', 99).maybeSingle()).data, null);
    assert.equal((await rooms().eq('id', 99).maybeSingle()).error, null);
    assert.equal((await rooms().maybeSingle()).error.code, 'PGRST116');
    for (const [answer, rows] of [[none, 0], [many, 4]]) {
        assert.equal(answer.status, 406);
        assert.equal(answer.data, null);
        assert.equal(answer.error.code, 'PGRST116');
        assert.equal(answer.error.message,
            'Cannot coerce the result to a single JSON object');
        assert.equal(answer.error.details,
            `The result contains ${rows} rows`);
        assert.equal(answer.error.hint, null);
    }
});

test('CSV', async () => {
    const { data, error } = await db.from('rooms').select('id, name')
        .lte('id', 2).order('id').csv();

    assert.equal(error, null);
    assert.deepEqual(data.trimEnd().split(/\r?\n/),
        ['id,name', '1,Anton Lodge', '2,"Birch, (Inn)"']);
});

test('counts and heads', async () => {
    const head = await db.from('rooms').select('*',
        { count: 'exact', head: true }).gt('id', 1);
    const exact = await db.from('rooms').select('id', { count: 'exact' })
        .order('id').limit(1);

    assert.equal(head.status, 200);
    assert.equal(head.data, null);
    assert.equal(head.count, 3);
    assert.equal(exact.status, 206);
    assert.equal(exact.count, 4);
    assert.equal(exact.data.length, 1);
    for (const count of ['planned', 'estimated']) {
        const { data, count: n, error } = await db.from('rooms')
            .select('id', { count });

        assert.equal(error, null);
        assert.equal(data.length, 4);
        assert.equal(n, 4);
    }
});
