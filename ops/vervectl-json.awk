# Makes one JSON object of the lines of `vervectl status`: "<subject> <name>
# <key>=<value> ... <word> ...". A subject of which there can be several lines is an
# array. A number stays a number, yes and no are true and false, - is null, and a
# word alone is true.

BEGIN {
    subjects = split("window shard reported queue backlog blocked sink reporter " \
        "destination", subject, " ")
    name["window"] = name["reported"] = "start"
    name["shard"] = "shard"
    name["backlog"] = name["destination"] = "destination"
    name["blocked"] = "host"
    name["sink"] = name["reporter"] = "name"
    single["window"] = single["queue"] = 1
}

/^reporter +none delivers callbacks$/ {
    next
}

{
    object = ""
    for (i = 2; i <= NF; i++) {
        at = index($i, "=")
        if (i == 2 && $1 in name) {
            add(name[$1], $1 == "shard" ? value($i) : text($i))
        } else if (at > 1) {
            add(substr($i, 1, at - 1), value(substr($i, at + 1)))
        } else {
            add($i, "true")
        }
    }
    objects[$1] = objects[$1] (objects[$1] == "" ? "" : ",\n    ") \
        "{" object "}"
}

END {
    for (i = 1; i <= subjects; i++) {
        printf "%s%s: %s", i == 1 ? "{\n  " : ",\n  ", text(subject[i]), \
            subject[i] in single && objects[subject[i]] != "" ? \
            objects[subject[i]] : subject[i] in single ? "null" : \
            objects[subject[i]] == "" ? "[]" : \
            "[\n    " objects[subject[i]] "\n  ]"
    }
    print "\n}"
}

function add(key, what) {
    object = object (object == "" ? "" : ", ") text(key) ": " what
}

function value(word) {
    if (word ~ /^-?(0|[1-9][0-9]*)$/) {
        return word
    }
    return word == "yes" ? "true" : word == "no" ? "false" : \
        word == "-" ? "null" : text(word)
}

# The lines are printable ASCII.
function text(word) {
    gsub(/[\\"]/, "\\\\&", word)
    return "\"" word "\""
}
