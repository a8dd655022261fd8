//! What `--help` of each command shows at its end.

pub const CI_EXAMPLES: &str = "\
Examples:
  cargo xtask ci
  cargo xtask ci --install           get what is missing first, Vagrant too
  cargo xtask ci --without-nested    all but the lab of three virtual machines

What needs a tool that is not there is left out, and the summary says so.";

pub const SETUP_EXAMPLES: &str = "\
Examples:
  cargo xtask setup                  a table: what is there, what is not, how to get it
  cargo xtask setup --install        get it, showing every command before it runs
  cargo xtask setup --json | jq .    the same for a script

It ends with 5 when something that experiments need is still missing.";

pub const LAB_CHECK_EXAMPLES: &str = "\
Examples:
  cargo xtask lab-check                       the lab that is up, or one of this command's own
  cargo xtask lab-check --lab labs/local.yaml --json | jq '.findings[] | select(.severity != \"ok\")'

It changes nothing but small files in the shared folder, which it removes. It ends with 4 when
something failed.";

pub const LAB_EXEC_EXAMPLES: &str = "\
Examples:
  cargo xtask lab-exec node1 -- ip -brief address
  cargo xtask lab-exec node2 -- tc -s qdisc
  echo hello | cargo xtask lab-exec node3 -- cat

The command has this one's folder, stdin, stdout and stderr, and the environment that the lab was
brought up with. It ends with the command's own exit code: 127 when there is no such program, 126
when it cannot be run, 128 and the signal's number when a signal ended it; with 4 when the lab is
not up.";

pub const BENCH_EXAMPLES: &str = "\
Examples:
  cargo xtask bench                  all but `build`, `quick` and `reading`, some minutes
  cargo xtask bench lab-up --json    one figure, for a comparison
  cargo xtask bench reading          100,000 records read and shown; so is reading-memory
  cargo xtask bench trial-overhead   one figure with its parts

A bar that is missed does not change the exit code: figures depend on the machine, and on what
else it does.";

pub const RUNS_EXAMPLES: &str = "\
Examples:
  cargo xtask runs
  cargo xtask runs --json | jq .
  cargo xtask runs --metric total_time       how it changed from run to run, a table for each
                                             experiment and context

A shift is that of the first run in the table, over all cells.";

pub const EXPERIMENT_EXAMPLES: &str = "\
Examples:
  cargo xtask experiment                                  experiments/quick.yaml on labs/local.yaml
  cargo xtask experiment --install                        the same, on a fresh machine
  cargo xtask experiment experiments/precopy.yaml --plan  order, number of trials, time
  cargo xtask experiment --resume runs/RUN                exactly the trials that are missing
  cargo xtask experiment --shard 1/3                      every third block
  cargo xtask experiment my.yaml --qemu new=/opt/qemu/bin/qemu-system-x86_64
                                                          `new` is a level of its factor `qemu`
  cargo xtask experiment experiments/precopy.yaml --lab model   by the model, in a second

Environment:
  PRECOPY_QEMU       the lab's own QEMU
  PRECOPY_BUILT      a folder with a `guest` and an `observer` built elsewhere: none is built then
  PRECOPY_LAB_STATE  the folder in which labs keep their state
  PRECOPY_LAB_DATA   the folder for what is large: disks of nodes, boxes, folders that nodes share";
