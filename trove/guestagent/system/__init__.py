# SPDX-License-Identifier: Apache-2.0
"""What touches the machine: programs, processes and files. The only package of the guest that runs other programs."""
