#!/bin/sh
# Prints a software bill of materials (CycloneDX 1.5, JSON): each package that is in the program, with
# its version, its licence, and its checksum of Cargo.lock. Run in the project's directory.
set -eu
cargo tree --locked --features acme --edges normal --prefix none --format '{p}|{l}' |
    sed 's/ (proc-macro)//; s/ (\*)//' | sort -u |
    awk -v lock=Cargo.lock '
    BEGIN {
        while ((getline line < lock) > 0) {
            split(line, part, "\"")
            if (line ~ /^name = /) name = part[2]
            if (line ~ /^version = /) version = part[2]
            if (line ~ /^checksum = /) sum[name " v" version] = part[2]
        }
        print "{\n  \"bomFormat\": \"CycloneDX\",\n  \"specVersion\": \"1.5\",\n  \"version\": 1,"
    }
    {
        split($0, half, "|"); split(half[1], part, " ")
        name = part[1]; version = substr(part[2], 2)
        if (name == "shanty") {
            own = "  \"metadata\": {\"component\": {\"type\": \"application\", \"name\": \"shanty\", "
            own = own "\"version\": \"" version "\", \"licenses\": [{\"expression\": \"" half[2] "\"}]}},"
            next
        }
        gsub("/", " OR ", half[2])
        entry = "    {\"type\": \"library\", \"name\": \"" name "\", \"version\": \"" version "\", "
        entry = entry "\"purl\": \"pkg:cargo/" name "@" version "\", "
        entry = entry "\"licenses\": [{\"expression\": \"" half[2] "\"}]"
        if (sum[name " v" version] != "")
            entry = entry ", \"hashes\": [{\"alg\": \"SHA-256\", \"content\": \"" sum[name " v" version] "\"}]"
        all = all (all == "" ? "" : ",\n") entry "}"
    }
    END { print own "\n  \"components\": [\n" all "\n  ]\n}" }'
