# The food-security metrics straight from the upstream's records, in the form
# of the service's answers. For jq -n: $records holds the whole answers, which
# may be several, each an array or one in an envelope.

def records:
    $records[] | if type == "object" then .body else . end | .[];

# What counts of a metric from one day to another: of the same area and day
# the last complete value.
def rows($metric; $from; $to):
    reduce (records | select(.date >= $from and .date <= $to)
            | select(.metrics[$metric]?
                     | .people? != null and .prevalence? != null)) as $r
        ({}; .["\($r.region.id) \($r.date)"] =
            {region: ($r.region | {id, name, population}), day: $r.date}
            + ($r.metrics[$metric] | {people, prevalence}))
    | [.[]];

def mean: add / length;

# /adm1/monthly
def monthly($metric; $from; $to):
    rows($metric; $from; $to)
    | group_by(.region.id)
    | map({region: .[0].region,
           months: (group_by(.day[:7])
                    | map({month: .[0].day[:7],
                           people: (map(.people) | mean),
                           prevalence: (map(.prevalence) | mean),
                           days: length}))});

# /national/daily; $weight: people or population
def daily($metric; $from; $to; $weight):
    rows($metric; $from; $to)
    | group_by(.day)
    | map(map(. + {weight: (if $weight == "people" then .people
                            else .region.population // 0 end)})
          | (map(.weight) | add) as $sum
          | (if $sum == 0 then null
             else (map(.weight * .prevalence) | add) / $sum end) as $mean
          | {date: .[0].day,
             people: (map(.people) | add),
             prevalence: $mean,
             variance: (if $mean == null then null
                        else map(.prevalence - $mean | . * .) | mean end),
             areas: length});

# One country of the published document in the form of /adm1/monthly and
# /national/daily; what it does not say (days, areas) comes from the records.
def golden_monthly($golden; $metric; $from; $to):
    (monthly($metric; $from; $to)
     | map({key: (.region.id | tostring), value: .}) | from_entries) as $own
    | $golden.metric_a
    | map($own[.region.id | tostring] as $area
          | {region: (.region | {id, name, population}),
             months: [.average | to_entries[]
                      | (.key | split("-")
                         | .[0] + "-" + ("0" + .[1])[-2:]) as $month
                      | {month: $month, people: .value.people,
                         prevalence: .value.prevalence,
                         days: (first($area.months[]
                                      | select(.month == $month)) | .days)}]});

def golden_daily($golden; $metric; $from; $to):
    (daily($metric; $from; $to; "people")
     | map({key: .date, value: .areas}) | from_entries) as $areas
    | [$golden.metric_b | to_entries[]
       | {date: .key, people: .value.people, prevalence: .value.prevalence,
          variance: .value.variance, areas: $areas[.key]}];
