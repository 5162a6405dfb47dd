# Completion for bash. It asks the program for its flags, so it is never out of date.
_shanty() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    local commands="backup verify restore export import admin config health doctor"
    case $before in
    --sync) COMPREPLY=($(compgen -W "full normal" -- "$word")) ;;
    --log) COMPREPLY=($(compgen -W "off error warn info debug" -- "$word")) ;;
    --log-format) COMPREPLY=($(compgen -W "text json" -- "$word")) ;;
    --limits) COMPREPLY=($(compgen -W "on off" -- "$word")) ;;
    --backup-dir) COMPREPLY=($(compgen -d -- "$word")) ;;
    --config | --db | --*-file | --tls-* | --acme-ca | backup | verify | restore | export | import)
        COMPREPLY=($(compgen -f -- "$word")) ;;
    admin) COMPREPLY=($(compgen -W "make-owner make-admin revoke invite recover" -- "$word")) ;;
    --registration) COMPREPLY=($(compgen -W "open invite closed" -- "$word")) ;;
    --guests) COMPREPLY=($(compgen -W "on rooms off" -- "$word")) ;;
    invite) COMPREPLY=($(compgen -W "--uses --days --room --url" -- "$word")) ;;
    config) COMPREPLY=($(compgen -W "check" -- "$word")) ;;
    *)
        local flags
        flags=$(shanty --help 2>/dev/null | grep -o '^  --[a-z-]*')
        COMPREPLY=($(compgen -W "$flags --force --url --version $commands" -- "$word")) ;;
    esac
}
complete -F _shanty shanty
