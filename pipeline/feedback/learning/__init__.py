"""The closed loop: hypotheses on errors, registered before they are tested, acted on beside a control arm."""
