package explain

// Variables is the last part of the help: the variables that have no flag, and the
// exit statuses.
const Variables = `
Variables without a flag, as other users can see a program's arguments:
  SECRET_KEY               signs the tokens, 32 bytes or more; without it shelf
                           makes a key at its first start and keeps it
  SECRET_KEY_FALLBACKS     earlier keys, comma separated: what they signed
                           stays good
  PORT                     the port of the default address; not read from .env
  SHELF_LAB_TOKEN          the secret that -lab asks for, 16 characters or more;
                           without it -lab makes one and shows it; not from .env

Exit status:
  0                        stopped as asked
  1                        could not start, or failed: standard error says why;
                           check: the file is damaged;
                           explain: the token is refused;
                           attack: not all were refused
  2                        check: not readable, or no data file of shelf;
                           explain: the token could not be judged;
                           attack: no shelf there;
                           run: no command; all four: a flag that is wrong
  130, 143                 Ctrl-C or SIGTERM ended a command: the last line says
                           what is kept. A server that answers ends with 0, once
                           the requests that run are answered; a second signal
                           ends it at once
  run                      else that of the command, 128 and the signal's
                           number if one ended it; 125: the server failed;
                           126: the command can't be run; 127: there is none
`
