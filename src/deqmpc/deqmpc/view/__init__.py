"""The live view in the browser: `picture` says what is shown, `page` shows it with viser, `node` and `alone`
feed it from the ROS graph and from a flight in this process."""
