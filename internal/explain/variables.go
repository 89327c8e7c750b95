package explain

// Variables is the last part of the help: variables without a flag, and exit
// statuses.
const Variables = `
Variables without a flag, as other users can see a program's arguments:
  SECRET_KEY               signs the tokens; 32 bytes or more; without it shelf
                           makes a key at its first start and keeps the key
  SECRET_KEY_FALLBACKS     earlier keys, comma separated; the tokens that they
                           have signed stay good
  SHELF_ETCD_USER          for -data etcd://...: a user of etcd, and
  SHELF_ETCD_PASSWORD      the user's password
  PORT                     the port of the default address; not read from .env
  SHELF_LAB_TOKEN          the secret of -lab; 16 characters or more; without it
                           -lab makes a secret and prints it; not read from .env

Exit status:
  0                        done, or stopped as asked; check: the file is sound;
                           explain: the token is good;
                           attack: all attacks were refused
  1                        could not start, or failed: standard error says why;
                           check: the file is damaged;
                           explain: the token is refused;
                           attack: not all attacks were refused
  2                        a wrong command line or a wrong value of a setting;
                           check: no file that can be read as a data file;
                           explain: the token could not be judged;
                           attack: no shelf answered
  130, 143                 Ctrl-C or SIGTERM ended a command: the last line says
                           what is kept. A server that has started ends with 0,
                           once the running requests are answered; a second
                           signal ends it at once
  run                      else the status of the command; 128 and the signal's
                           number if a signal ended the command; 125: the server
                           failed; 126: the command can't be run; 127: there is
                           no such command
`
