#!/bin/sh
cat /app/loud.txt
