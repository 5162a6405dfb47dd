# Completion for fish. It asks the program for its flags, so it is never out of date.
function __shanty_flags
    shanty --help 2>/dev/null | string replace -rf '^  (--[a-z-]+)( \S+)? +(.*)$' '$1\t$3'
end
set -l commands backup verify restore export import admin config health doctor
complete -c shanty -n "string match -q -- '-*' (commandline -ct)" -f -a '(__shanty_flags)'
complete -c shanty -n "not __fish_seen_subcommand_from $commands" -f -a "$commands"
complete -c shanty -n "__fish_seen_subcommand_from config" -f -a check
complete -c shanty -n "__fish_seen_subcommand_from admin" -f -a "make-owner make-admin revoke invite recover"
complete -c shanty -n "__fish_seen_subcommand_from invite" -l uses -x -d "so many people can come by it"
complete -c shanty -n "__fish_seen_subcommand_from invite" -l days -x -d "until it ends"
complete -c shanty -n "__fish_seen_subcommand_from invite" -l room -x -d "it also admits to this room"
complete -c shanty -n "__fish_seen_subcommand_from invite recover" -l url -x -d "where people open the page"
complete -c shanty -n "__fish_seen_subcommand_from backup verify restore export import" -F
