#include "topics.h"

#include <stddef.h>

const struct topic topics[] = {
	{ "precedence", "which rule wins",
	  "1. `forbid` always wins.\n"
	  "2. A narrower rule beats a broader one.\n"
	  "3. Of the rules that no narrower one beats, the strictest wins (deny, then redirect/answer, then allow).\n"
	  "4. Where no rule matches, the section's `default` applies.\n"
	  "\n"
	  "The order of lines, files and includes never matters.\n"
	  "\n"
	  "Narrower is set inclusion: A is narrower than B if B matches everything that A matches, and not the other\n"
	  "way round. If both match the same, the rule that names fewer operations is narrower. For system calls, a\n"
	  "call with arguments is narrower than its name, and a name is narrower than a group.\n"
	  "\n"
	  "    deny  ro   **/.env;                  # everywhere\n"
	  "    allow ro   /srv/www/;                # overlaps: the deny holds in /srv/www as well\n"
	  "    allow read /srv/www/demo/.env;       # narrower than both: allowed\n"
	  "\n"
	  "usher why shows the contest for one path.\n" },
	{ "stages", "from logging to killing",
	  "A rule or default has a stage; without the word it is `deny`.\n"
	  "\n"
	  "  stage log   not enforced: decided as if the rule were absent, and recorded as would-deny\n"
	  "  stage deny  the call fails with the errno\n"
	  "  stage trap  the thread gets SIGSYS, and the call fails\n"
	  "  stage kill  the process gets SIGKILL\n"
	  "\n"
	  "enforced = decide(rules without those at log); would = decide(all rules); where they differ there is a\n"
	  "record. `default deny stage log;` is a complain mode for a section, `usher run --mode log` for everything\n"
	  "but `forbid`, which is never staged.\n" },
	{ "network", "addresses in rules",
	  "    network {\n"
	  "        default deny;\n"
	  "        allow connect tcp 10.20.0.0/16:8080-8089, [fd00::/8]:443, api.example.com:443;\n"
	  "        allow bind    tcp 127.0.0.1:8000;\n"
	  "        allow sendto  udp 10.0.0.53:53;      # to connect a datagram socket is to send: one word says both\n"
	  "        allow connect unix /run/app.sock, @app-*;\n"
	  "        allow connect netlink NETLINK_ROUTE;\n"
	  "        forbid connect tcp @metadata;\n"
	  "        redirect connect tcp *:80 to 127.0.0.1:3128;\n"
	  "    }\n"
	  "\n"
	  "Narrower beats broader, for network, ports and protocol together; where two merely overlap the stricter wins.\n"
	  "IPv4 in IPv6 is IPv4. A host name means what usher is answered for it, and never opens what a rule about\n"
	  "addresses denies. Sockets that no rule can speak of (MPTCP, SCTP, UDP-Lite, SMC, ...) cannot be made while\n"
	  "addresses are restricted; packet and raw sockets need `allow connect raw *`.\n" },
	{ "exit", "exit statuses",
	  "usher run:\n"
	  "  the program's own status; 128+N if signal N killed it (159: SIGSYS)\n"
	  "  125  usher failed before the program started: an option, the policy, the kernel\n"
	  "  126  the program was found but cannot be executed\n"
	  "  127  it was not found\n"
	  "\n"
	  "every other verb:\n"
	  "  0  yes, clean\n"
	  "  1  the answer is no: denied, a test failed, warnings under --strict\n"
	  "  2  usage\n"
	  "  3  the policy is invalid\n"
	  "  4  the kernel or a privilege is missing, or this version cannot enforce the policy\n"
	  "  5  a file cannot be read, or a supervisor cannot be reached\n" },
	{ "policies", "where policies are looked for",
	  "-p NAME looks for NAME.policy in $XDG_CONFIG_HOME/usher (or ~/.config/usher), /etc/usher, and the installed\n"
	  "profiles, in this order. A name with a slash is a file: ./web.policy. The current directory is never\n"
	  "searched, and nothing is guessed from the program's name.\n"
	  "\n"
	  "Drop-ins: NAME.policy.d/*.policy beside the file. Includes: the directory of the including file, /etc/usher,\n"
	  "the installed profiles. Policy files, drop-ins and audit logs are out of reach of the confined program,\n"
	  "whatever the policy says; reading one may be allowed by its very name.\n" },
	{ "audit", "records",
	  "One JSON object a line, in the file of `--audit FILE` or `audit { log FILE; }`. Five keys come first:\n"
	  "\n"
	  "  timestamp  UTC, microseconds\n"
	  "  process    pid, exe, uid, domain\n"
	  "  syscall    its name; null for records of usher's own\n"
	  "  action     deny, would-deny, allow; footprint; start, stop, gap, error, kill, ...\n"
	  "  details    op, path, spelled, errno, ...; path_b64 where path is not UTF-8; of addresses op, proto, peer,\n"
	  "             address, port, and name where a rule's host name stands for it\n"
	  "\n"
	  "then id (usher why ID), policy (name@digest), rule (file:line), stage, enforced, us (the call's time with\n"
	  "usher) and seq. Denials are recorded, everything with `audit { level all; }` or `audit all` on a rule.\n"
	  "A `gap` record says how many records were lost before it (a full disk, a queue that overflowed).\n" },
	{ NULL, NULL, NULL },
};

const struct topic warnings[] = {
	{ "W001", "a rule that never wins",
	  "Other rules beat it for every path that it matches. Take it out, or find out what was meant: often a deny\n"
	  "without a place (`deny ro **/.env`) is stricter than the allow that was to be an exception; name the exception\n"
	  "more narrowly.\n" },
	{ "W002", "a rule that is there twice", "The same rule stands in two places. Harmless, until only one of them is edited.\n" },
	{ "W003", "changes are allowed in a very wide tree",
	  "Such as `allow write /etc/`. Name the directories that the program writes to.\n" },
	{ "W004", "a pattern begins with a symlink",
	  "Patterns match resolved paths, so the literal beginning of a pattern is resolved when the policy is loaded.\n"
	  "The message says what it became. A link that changes later is not followed.\n" },
	{ "W005", "a path that does not exist", "Perhaps a spelling mistake, perhaps something that is created later.\n" },
	{ "W006", "a socket that gives root", "Who may talk to docker.sock and its like may start anything as root.\n" },
	{ "W007", "a call is in two groups that say different things",
	  "The stricter wins. Name the call itself to say what is meant: a name is narrower than a group.\n" },
	{ "W008", "a tree may be written and executed",
	  "Two rules together let the program execute what it wrote.\n" },
	{ "W009", "a rule allows write and exec", "What the program writes there it may execute.\n" },
	{ "W011", "a host name in a rule",
	  "usher resolves the name, and so does the program, and the answers may differ (a CDN). Prefer addresses, or let\n"
	  "the program read usher's answers: `answer read /etc/hosts with hosts;`.\n" },
	{ "W012", "io_uring is allowed", "Operations of a ring are not system calls: no filter sees them. It is refused while paths are brokered.\n" },
	{ "W013", "a call that reaches into other processes",
	  "ptrace and process_vm_writev change what another process does, behind its filter. Landlock keeps them\n"
	  "within the tree that usher started.\n" },
	{ "W015", "a rule expires soon, or has expired",
	  "Enforcement never changes by itself at midnight. Decide, and edit the date or the rule.\n" },
	{ "W017", "operations that are not brokered",
	  "`cover` leaves them out (stat, unless it is named): they are not decided at all. `cover all;` turns them on and\n"
	  "costs a notification for each stat.\n" },
	{ "W018", "a default in an include has no effect",
	  "Defaults come from the main policy file: an include never switches one on.\n" },
	{ "W019", "an allow that nothing refuses",
	  "The section has no default and no other rule denies what this one allows. Write the section into the main policy\n"
	  "file: it then denies by default.\n" },
	{ NULL, NULL, NULL },
};
