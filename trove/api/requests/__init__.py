# SPDX-License-Identifier: Apache-2.0
"""What requests mean: what a body refers to exists, what it asks for makes sense, and all objections come at once.

Controllers ask here before they change anything; what these modules share is not tied to one route.
"""
