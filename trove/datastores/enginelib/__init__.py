# SPDX-License-Identifier: Apache-2.0
"""What the guest halves of all engines share: a server process, its state, templates, logs, and why it is down.

Only the standard library and msgspec are used here, and no engine is known: an engine brings plain functions (which pid
does your own file name? do you answer?) and gets the parts that every engine needs alike. A third party's engine may
use them too.

===================== ========================================================================================
:mod:`.server`        start detached, wait until ready, stop harder and harder, adopt, bring back with pauses
:mod:`.lifecycle`     wanted state, status words, restart and reconfigure with the way back, on top of a server
:mod:`.commands`      the commands that every engine carries out by its parts, and what their errors are
:mod:`.configuration` the values of a configuration group: judged, taken over, put back when refused
:mod:`.protection`    which parameters no group may set
:mod:`.state`         one private file with what must survive the agent
:mod:`.data`          a data directory that is being made, or is finished and never removed
:mod:`.templates`     prepared data directories, made once and copied
:mod:`.conditions`    disk full and out of memory, with cause and remedy for the owner
:mod:`.logs`          tail, rotation and pruning of the engine's logs
:mod:`.switches`      the logs that an owner can switch on and off
:mod:`.sockets`       a private directory for the engine's Unix socket whose path is short enough
:mod:`.files`         files that are whole or absent, fast copies, flushing
:mod:`.host`          the memory of the machine below
===================== ========================================================================================
"""
