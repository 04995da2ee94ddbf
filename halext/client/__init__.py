"""The library behind `import halext`."""
